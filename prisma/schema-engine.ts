import { readdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { PrismaPg } from '@prisma/adapter-pg';
import { bindMigrationAwareSqlAdapterFactory, DriverAdapterError } from '@prisma/driver-adapter-utils';
import type { MigrationList, SchemaEngine } from '@prisma/schema-engine-wasm';
import pg from 'pg';

type EngineModule = {
  SchemaEngine: {
    new: (options: object, log: (line: string) => void, adapter: object) => Promise<SchemaEngine>;
  };
  __wbg_set_wasm(exports: WebAssembly.Exports): void;
};

export const prismaFolder = import.meta.dirname;
export const migrationsFolder = path.join(prismaFolder, 'migrations');
export const schemaFile = path.join(prismaFolder, 'schema.prisma');

let loading: Promise<EngineModule> | undefined;

/** Loads Prisma's schema engine from its WebAssembly package; instantiated by hand, because importing .wasm is experimental. */
function loadEngine(): Promise<EngineModule> {
  loading ??= (async () => {
    const file = createRequire(import.meta.url).resolve('@prisma/schema-engine-wasm/schema_engine_bg');
    const engine = (await import(pathToFileURL(file).href)) as EngineModule;
    const wasm = await readFile(path.join(path.dirname(file), 'schema_engine_bg.wasm'));
    const { instance } = await WebAssembly.instantiate(wasm, {
      './schema_engine_bg.js': {
        ...(engine as unknown as WebAssembly.ModuleImports),
        ...patientTimers(engine),
      },
    });
    engine.__wbg_set_wasm(instance.exports);
    (instance.exports.__wbindgen_start as () => void)();
    return engine;
  })();
  return loading;
}

/** The engine never clears the ten-second timer of its lock; unreferenced, it no longer keeps a finished program alive. */
function patientTimers(engine: object): WebAssembly.ModuleImports {
  const names = Object.keys(engine).filter((name) => name.startsWith('__wbg_setTimeout_'));
  const setUnreferenced = (run: () => void, milliseconds: number) =>
    setTimeout(run, milliseconds >>> 0).unref();
  return Object.fromEntries(names.map((name) => [name, setUnreferenced]));
}

/**
 * Prisma's adapter cuts a script at every semicolon, which breaks function bodies. Sent whole, PostgreSQL splits it
 * itself and runs it as one transaction, so a migration applies entirely or not at all.
 */
class WholeScriptAdapter extends PrismaPg {
  override async connect() {
    const connection = await super.connect();
    connection.executeScript = async (script) => {
      await connection
        .underlyingDriver()
        .query(`${script}\n${sayFinished}`)
        .catch((error: pg.DatabaseError) => {
          throw new DriverAdapterError({
            kind: 'postgres',
            code: error.code ?? 'XX000',
            severity: error.severity ?? 'ERROR',
            message: error.message,
            detail: error.detail,
            column: error.column,
            hint: error.hint,
          });
        });
    };
    return connection;
  }
}

/**
 * Runs in the transaction of a migration's script: the engine says that it is finished only afterwards, and a process
 * that is killed in between would leave a migration nobody knows to be applied or not.
 */
const sayFinished = `;DO $$ BEGIN
  IF to_regclass('_prisma_migrations') IS NOT NULL THEN
    UPDATE _prisma_migrations SET finished_at = now(), applied_steps_count = 1
     WHERE finished_at IS NULL AND rolled_back_at IS NULL AND logs IS NULL;
  END IF;
END $$`;

/**
 * Lends the schema engine on a database to `work`, then closes its connections: the engine itself leaves them open
 * until they time out, and a database that is in use cannot be cloned.
 */
export async function withSchemaEngine<T>(
  databaseUrl: string,
  work: (engine: SchemaEngine) => Promise<T>,
): Promise<T> {
  const { SchemaEngine } = await loadEngine();
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 2 });
  // A connection that is lost fails the migration; unheard, it would end the process without a reason.
  pool.on('error', () => undefined);
  pool.on('connect', (client) => client.on('error', () => undefined));
  const engine = await SchemaEngine.new(
    { datamodels: undefined },
    () => undefined,
    bindMigrationAwareSqlAdapterFactory(new WholeScriptAdapter(pool)),
  );
  try {
    return await work(engine);
  } finally {
    engine.free();
    await pool.end();
  }
}

/** The migrations on disk in the order Prisma applies them: by folder name. */
export async function readMigrations(): Promise<MigrationList> {
  const entries = await readdir(migrationsFolder, { withFileTypes: true });
  const names = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  names.sort();
  return {
    baseDir: migrationsFolder,
    lockfile: { path: 'migration_lock.toml', content: 'provider = "postgresql"\n' },
    shadowDbInitScript: '',
    migrationDirectories: await Promise.all(
      names.map(async (name) => ({
        path: name,
        migrationFile: {
          path: 'migration.sql',
          content: {
            tag: 'ok' as const,
            value: await readFile(path.join(migrationsFolder, name, 'migration.sql'), 'utf8'),
          },
        },
      })),
    ),
  };
}
