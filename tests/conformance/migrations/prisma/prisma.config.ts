import { defineConfig } from 'prisma/config'
import { PrismaPg } from '@prisma/adapter-pg'
import { Client, Pool } from 'pg'

// The adapter does not know the catalogue's own types, name and "char": they are text.
class Naming extends Client {
  constructor(config: any) {
    super(config)
    ;(this as any).connection.on('rowDescription', (message: any) => {
      for (const field of message.fields) {
        if (field.dataTypeID === 18 || field.dataTypeID === 19) field.dataTypeID = 25
      }
    })
  }
}

// The schema engine as WebAssembly, whose connection is node-postgres's: the other is no package's.
export default defineConfig({
  schema: 'second.prisma',
  migrations: { path: 'migrations' },
  experimental: { adapter: true },
  engine: 'js',
  adapter: async () => new PrismaPg(new Pool({ host: process.env.PGHOST, Client: Naming } as any)),
})
