// Makes and applies migrations, asks as an application does, and reads the schema back.
'use strict'
const { spawnSync } = require('child_process')
const fs = require('fs')

function prisma(...words) {
  const env = { ...process.env, NO_COLOR: '1', PRISMA_HIDE_UPDATE_MESSAGE: '1' }
  const done = spawnSync(process.execPath, ['node_modules/prisma/build/index.js', ...words], { env, encoding: 'utf8' })
  // It says how long it took.
  const said = (done.stdout + (done.status ? done.stderr : '')).replace(/\d+(\.\d+)?m?s\b/g, 'N')
  console.log(`${words.join(' ')}: ${done.status}\n${said}`)
  return done.stdout
}

function migration(name, from, to) {
  const script = prisma('migrate', 'diff', ...from, '--to-schema-datamodel', to, '--script')
  fs.mkdirSync(`migrations/${name}`, { recursive: true })
  fs.writeFileSync('migrations/migration_lock.toml', 'provider = "postgresql"\n')
  fs.writeFileSync(`migrations/${name}/migration.sql`, script)
}

async function ask() {
  const { PrismaClient } = require('@prisma/client')
  const { PrismaPg } = require('@prisma/adapter-pg')
  const client = new PrismaClient({ adapter: new PrismaPg({ host: process.env.PGHOST, ssl: false }) })
  const born = new Date('1990-01-01')
  const orders = { create: Array.from({ length: 60 }, (_, n) => ({ total: n + 0.5, placed: new Date(0) })) }
  const data = { name: 'Ann', email: 'ann@example.com', tags: ['a', 'b'], extra: { x: [1, null] }, born, orders }
  console.log(await client.customer.create({ data }))
  console.log(await client.order.aggregate({ _sum: { total: true }, _count: true }))
  const include = { orders: { orderBy: { id: 'asc' }, take: 2 }, _count: { select: { orders: true } } }
  const found = await client.customer.findMany({ where: { tags: { has: 'a' }, orders: { some: { total: { gt: 50 } } } }, include })
  console.log(JSON.stringify(found))
  console.log(await client.customer.upsert({ where: { email: 'ann@example.com' }, create: data, update: { name: 'Anna', mood: 'sad' } }))
  console.log(await client.customer.create({ data: { name: 'x', email: 'ann@example.com' } }).catch((error) => [error.code, error.meta.modelName]))
  console.log(await client.$transaction([client.order.deleteMany({ where: { total: { lt: 10 } } }), client.order.count()]))
  await client
    .$transaction(async (tx) => {
      await tx.customer.updateMany({ data: { name: 'gone' } })
      throw new Error('back')
    })
    .catch((error) => console.log(error.message))
  console.log(await client.order.groupBy({ by: ['customerId'], _max: { total: true } }))
  console.log(await client.$queryRaw`select name, mood::text, born from "Customer" where id = ${1}`)
  console.log(await client.customer.delete({ where: { id: 1 } }))
  await client.$disconnect()
}

fs.rmSync('migrations', { recursive: true, force: true })
prisma('generate', '--no-hints')
migration('0001_first', ['--from-empty'], 'first.prisma')
prisma('migrate', 'deploy')
migration('0002_second', ['--from-schema-datamodel', 'first.prisma'], 'second.prisma')
prisma('migrate', 'status')
prisma('migrate', 'deploy')
prisma('migrate', 'status')
prisma('db', 'push', '--skip-generate')
prisma('db', 'pull', '--print')
ask().catch((error) => {
  console.log(error)
  process.exit(1)
})
