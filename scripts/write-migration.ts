import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { migrationsFolder, prismaFolder, schemaFile, withSchemaEngine } from '../prisma/schema-engine.ts';
import { startThrowAwayCluster } from '../server/postgres/throw-away.ts';

/**
 * Writes prisma/migrations/0001_init/migration.sql: the SQL that makes an empty database equal to schema.prisma. The
 * hand-written migrations after it hold what a Prisma schema cannot say (checks, triggers, sequences).
 */
async function writeInitialMigration(): Promise<void> {
  const cluster = await startThrowAwayCluster('migration');
  try {
    const schema = { path: schemaFile, content: await readFile(schemaFile, 'utf8') };
    const result = await withSchemaEngine(cluster.url('postgres'), (engine) =>
      engine.diff({
        from: { tag: 'empty' },
        to: { tag: 'schemaDatamodel', files: [schema] },
        script: true,
        exitCode: null,
        filters: { externalTables: [], externalEnums: [] },
      }),
    );
    if (!result.stdout) throw new Error('the schema engine returned no script');
    const folder = path.join(migrationsFolder, '0001_init');
    await mkdir(folder, { recursive: true });
    await writeFile(path.join(folder, 'migration.sql'), result.stdout);
    await writeFile(path.join(migrationsFolder, 'migration_lock.toml'), 'provider = "postgresql"\n');
    console.log(`wrote ${path.relative(path.dirname(prismaFolder), folder)}/migration.sql`);
  } finally {
    await cluster.stop();
  }
}

await writeInitialMigration();
