// Makes and applies migrations, asks as an application does, and reads the schema back.
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { drizzle } from 'drizzle-orm/node-postgres'
import { migrate } from 'drizzle-orm/node-postgres/migrator'
import { eq, sql, sum } from 'drizzle-orm'
import * as schema from './second.js'

const { customers, orders, rich } = schema

function kit(words, more) {
  const env = { ...process.env, ...more, NO_COLOR: '1' }
  const done = spawnSync(process.execPath, ['node_modules/drizzle-kit/bin.cjs', ...words], { env, encoding: 'utf8' })
  console.log(words[0], done.status, words[0] === 'generate' ? '' : done.stderr.replace(/\[[^\]]*\]/g, ''))
  if (done.status !== 0) console.log(done.stdout)
}

for (const folder of ['out', 'pulled']) rmSync(folder, { recursive: true, force: true })
kit(['generate', '--name=first'], { DRIZZLE_SCHEMA: './first.js' })
kit(['migrate'], {})
kit(['generate', '--name=second'], { DRIZZLE_SCHEMA: './second.js' })
const db = drizzle({ connection: { host: process.env.PGHOST }, schema })
await migrate(db, { migrationsFolder: 'out' })
kit(['push', '--force'], { DRIZZLE_SCHEMA: './second.js' })
kit(['pull'], { DRIZZLE_OUT: './pulled' })
console.log(readFileSync('pulled/schema.ts', 'utf8'))
console.log(readdirSync('out').sort())

const [ann] = await db
  .insert(customers)
  .values({ name: 'Ann', email: 'ann@example.com', tags: ['a'], extra: { x: [1] }, key: '6f2b0e0e-0000-4000-8000-000000000000' })
  .returning()
console.log(ann)
const placed = new Date('2020-01-01T00:00:00Z')
await db.insert(orders).values(Array.from({ length: 100 }, (_, n) => ({ customer: ann.id, total: `${n}.5`, placed })))
console.log(await db.select({ total: sum(orders.total) }).from(orders).where(eq(orders.customer, ann.id)))
console.log((await db.select().from(customers).leftJoin(orders, eq(orders.customer, customers.id))).length)
const prepared = db.select().from(orders).where(eq(orders.id, sql.placeholder('id'))).prepare('one')
console.log(await prepared.execute({ id: 1 }), await prepared.execute({ id: 2 }))
console.log(await db.select().from(rich))
await db
  .transaction(async (tx) => {
    await tx.update(customers).set({ name: 'Anna' })
    await tx.transaction(async (nested) => nested.insert(customers).values({ name: 'x', email: 'ann@example.com' }))
  })
  .catch((error) => console.log((error.cause ?? error).code, (error.cause ?? error).constraint))
console.log((await db.select().from(customers))[0].name)
await db.insert(customers).values({ name: 'y', email: 'ann@example.com' }).onConflictDoUpdate({ target: customers.email, set: { name: 'y' } })
console.log(await db.delete(customers).returning({ name: customers.name }))
await db.$client.end()
