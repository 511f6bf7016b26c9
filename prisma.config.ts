import { defineConfig } from 'prisma/config';

/**
 * For Prisma's own command line only (`prisma generate`, `prisma format`). Migrations are applied by prisma/migrate.ts
 * and written by scripts/write-migration.ts, which need no downloaded engine.
 */
export default defineConfig({
  schema: 'prisma/schema.prisma',
  migrations: { path: 'prisma/migrations' },
});
