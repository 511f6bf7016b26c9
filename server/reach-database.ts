import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import type { Config } from '#lib/platform/env.ts';
import type { Logger } from '#lib/platform/log.ts';
import { OperatorError } from '#lib/platform/operator-error.ts';
import { type InstallationSecrets, loadSecrets } from '#lib/platform/secrets.ts';
import { type DatabaseUrls, prepareDatabase } from './database.ts';
import { embeddedUrls, openDatabase } from './open-database.ts';
import { findRunning } from './postgres/cluster.ts';
import { placeCluster } from './postgres/place.ts';
import { privateSocketFolder } from './private-folder.ts';
import { AlreadyRunning, holdSingleStart } from './single-start.ts';

export type ReachedDatabase = {
  databaseUrls: DatabaseUrls;
  secrets: InstallationSecrets;
  /** Stops what was started for this, and nothing else. */
  release(): Promise<void>;
};

/**
 * The installation's database for a command on the host: that of the running server, or, when none runs, started for
 * as long as the command takes. A server that is started meanwhile says that somebody uses the data folder.
 */
export async function reachDatabase(config: Config, log: Logger): Promise<ReachedDatabase> {
  if (config.databaseUrl) {
    const { databaseUrls, secrets } = await openDatabase(config, log);
    return { databaseUrls, secrets, release: async () => undefined };
  }
  await mkdir(config.dataFolder, { recursive: true, mode: 0o755 });
  const runFolder = await privateSocketFolder(path.join(config.dataFolder, 'run'));
  const letGo = await holdSingleStart(runFolder, config.dataFolder).catch((error: unknown) => {
    if (error instanceof AlreadyRunning) return null;
    throw error;
  });
  if (letGo === null) return reachRunning(config);
  const { databaseUrls, secrets, postgres } = await openDatabase(config, log);
  await prepareDatabase(databaseUrls.owner);
  return {
    databaseUrls,
    secrets,
    async release() {
      await postgres?.stop();
      await letGo();
    },
  };
}

async function reachRunning(config: Config): Promise<ReachedDatabase> {
  const running = await findRunning(await placeCluster(config.dataFolder));
  if (!running)
    throw new OperatorError('The server is starting or stopping at this moment. Try again in a few seconds.');
  const secrets = await loadSecrets(path.join(config.dataFolder, 'secrets'), {
    ...config,
    databaseExists: true,
  });
  return { databaseUrls: embeddedUrls(running, secrets), secrets, release: async () => undefined };
}
