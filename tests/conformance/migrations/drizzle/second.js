// The tables after it.
import { sql } from 'drizzle-orm'
import {
  check, index, integer, jsonb, numeric, pgEnum, pgTable, pgView, serial, text, timestamp, uuid, varchar,
} from 'drizzle-orm/pg-core'

export const mood = pgEnum('mood', ['sad', 'ok'])

export const customers = pgTable(
  'customers',
  {
    id: integer().primaryKey().generatedAlwaysAsIdentity(),
    name: varchar({ length: 80 }).notNull(),
    email: text().unique(),
    mood: mood().default('ok'),
    tags: text().array(),
    extra: jsonb(),
    key: uuid().defaultRandom(),
  },
  (table) => [index('customers_lower').on(sql`lower(${table.name})`)]
)

export const orders = pgTable(
  'orders',
  {
    id: serial().primaryKey(),
    customer: integer().notNull().references(() => customers.id, { onDelete: 'cascade' }),
    total: numeric({ precision: 10, scale: 2 }).notNull(),
    placed: timestamp({ withTimezone: true }),
  },
  (table) => [check('orders_total', sql`${table.total} >= 0`), index().on(table.customer)]
)

export const rich = pgView('rich').as((qb) => qb.select({ id: customers.id }).from(customers))
