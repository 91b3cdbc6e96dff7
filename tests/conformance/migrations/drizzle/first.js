// The tables before the second migration.
import { integer, numeric, pgTable, serial, text, varchar } from 'drizzle-orm/pg-core'

export const customers = pgTable('customers', {
  id: integer().primaryKey().generatedAlwaysAsIdentity(),
  name: varchar({ length: 40 }).notNull(),
  email: text().unique(),
})

export const orders = pgTable('orders', {
  id: serial().primaryKey(),
  customer: integer().notNull().references(() => customers.id, { onDelete: 'cascade' }),
  total: numeric({ precision: 10, scale: 2 }).notNull(),
})
