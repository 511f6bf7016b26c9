import { randomBytes } from 'node:crypto';
import type { TestProject } from 'vitest/node';
import { generateClientIfStale } from '#prisma/generate.ts';
import {
  connectionString,
  type DatabaseUrls,
  databaseRoles,
  ensureRolesAndDatabase,
  prepareDatabase,
} from '../../server/database.ts';
import { startThrowAwayCluster } from '../../server/postgres/throw-away.ts';

/** What the test files need to clone the migrated template; see tests/database.ts. */
export type TestPostgres = { superuserUrl: string; template: string; templateUrls: DatabaseUrls };

declare module 'vitest' {
  export interface ProvidedContext {
    postgres: TestPostgres;
  }
}

const template = 'countersign_template';

/** Starts one PostgreSQL for the whole test run and migrates the template every test database is cloned from. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  await generateClientIfStale();
  const cluster = await startThrowAwayCluster('tests');
  const password = randomBytes(16).toString('hex');
  const passwords = { owner: password, gate: password, console: password, sequencer: password };
  await ensureRolesAndDatabase(cluster.url('postgres'), template, passwords);
  const urlOf = (role: keyof DatabaseUrls) =>
    connectionString(cluster, databaseRoles[role], password, template);
  const templateUrls = {
    owner: urlOf('owner'),
    gate: urlOf('gate'),
    console: urlOf('console'),
    sequencer: urlOf('sequencer'),
  };
  await prepareDatabase(templateUrls.owner);
  project.provide('postgres', { superuserUrl: cluster.url('postgres'), template, templateUrls });
  return () => cluster.stop();
}
