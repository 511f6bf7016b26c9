import { readFile, rename, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Config } from '#lib/platform/env.ts';
import type { Logger } from '#lib/platform/log.ts';
import { OperatorError } from '#lib/platform/operator-error.ts';
import { type InstallationSecrets, loadSecrets } from '#lib/platform/secrets.ts';
import { connectionString, type DatabaseUrls, databaseRoles, ensureRolesAndDatabase } from './database.ts';
import { refuseMoved } from './moved.ts';
import { superuserName } from './postgres/cluster.ts';
import { keepPostgresRunning, type RunningPostgres } from './postgres/keep-running.ts';
import { placeCluster } from './postgres/place.ts';
import { readSystemIdentifier } from './postgres/system-identifier.ts';

export type OpenedDatabase = {
  databaseUrls: DatabaseUrls;
  secrets: InstallationSecrets;
  /** The embedded PostgreSQL, or null when DATABASE_URL names another. */
  postgres: RunningPostgres | null;
  /** Where the embedded PostgreSQL keeps its data; null when DATABASE_URL names another. */
  databaseFolder: string | null;
  notes: string[];
};

const databaseName = 'countersign';

/**
 * Reads the installation's secrets and opens its database: starts the embedded PostgreSQL and makes its roles, or
 * takes the operator's. The secrets lie beside the database folder, never in it.
 */
export async function openDatabase(config: Config, log: Logger): Promise<OpenedDatabase> {
  const secretsFolder = path.join(config.dataFolder, 'secrets');
  if (config.databaseUrl) {
    const secrets = await loadSecrets(secretsFolder, { ...config, databaseExists: false });
    const databaseUrls = {
      owner: config.databaseUrl,
      gate: config.roleDatabaseUrls.gate ?? config.databaseUrl,
      console: config.roleDatabaseUrls.console ?? config.databaseUrl,
      sequencer: config.roleDatabaseUrls.sequencer ?? config.databaseUrl,
    };
    return { databaseUrls, secrets, postgres: null, databaseFolder: null, notes: [] };
  }

  await refuseMoved(config.dataFolder);
  const place = await placeCluster(config.dataFolder);
  const identifierFile = path.join(config.dataFolder, 'database-identifier');
  await requireSameCluster(identifierFile, place.dataFolder);
  const initialised = await stat(path.join(place.dataFolder, 'PG_VERSION')).catch(() => null);
  const secrets = await loadSecrets(secretsFolder, { ...config, databaseExists: initialised !== null });
  const passwords = secrets.databasePasswords;
  const postgres = await keepPostgresRunning(place, { superuserPassword: passwords.superuser, log });
  try {
    const superuserUrl = connectionString(postgres, superuserName, passwords.superuser, 'postgres');
    await ensureRolesAndDatabase(superuserUrl, databaseName, passwords);
    await rememberCluster(identifierFile, place.dataFolder);
  } catch (error) {
    await postgres.stop();
    throw error;
  }
  return {
    databaseUrls: embeddedUrls(postgres, secrets),
    secrets,
    postgres,
    databaseFolder: place.dataFolder,
    notes: place.notes,
  };
}

/**
 * Throws when the cluster this installation ran on is gone or is another one now. PostgreSQL would be initialised anew
 * in its place, and an empty history would pass for this installation's.
 */
async function requireSameCluster(identifierFile: string, dataFolder: string): Promise<void> {
  const known = await readFile(identifierFile, 'utf8').catch(() => null);
  if (known === null) return;
  const found = await readSystemIdentifier(dataFolder);
  if (known.trim() === String(found)) return;
  throw new OperatorError(
    `The database this installation ran on is not in ${dataFolder} any more${found === null ? '' : '; another one is'}.\n` +
      `Put it back, or, to go on with what is there now, delete ${identifierFile}.`,
  );
}

async function rememberCluster(identifierFile: string, dataFolder: string): Promise<void> {
  const unfinished = `${identifierFile}.new`;
  await writeFile(unfinished, `${await readSystemIdentifier(dataFolder)}\n`);
  // Whole or not at all: half an identifier would keep the next start from its own database.
  await rename(unfinished, identifierFile);
}

/** One connection string for each role of the embedded PostgreSQL that listens there. */
export function embeddedUrls(
  cluster: { host: string; port: number },
  secrets: InstallationSecrets,
): DatabaseUrls {
  const urlOf = (role: keyof DatabaseUrls) =>
    connectionString(cluster, databaseRoles[role], secrets.databasePasswords[role], databaseName);
  return {
    owner: urlOf('owner'),
    gate: urlOf('gate'),
    console: urlOf('console'),
    sequencer: urlOf('sequencer'),
  };
}
