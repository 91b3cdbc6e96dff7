// Where drizzle-kit finds the schema and the server.
const { PGHOST, PGUSER, PGPASSWORD, PGDATABASE } = process.env
export default {
  dialect: 'postgresql',
  schema: process.env.DRIZZLE_SCHEMA ?? './first.js',
  out: process.env.DRIZZLE_OUT ?? './out',
  dbCredentials: { host: PGHOST, port: 5432, user: PGUSER, password: PGPASSWORD, database: PGDATABASE, ssl: false },
}
