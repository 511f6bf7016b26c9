import { mkdir, stat } from 'node:fs/promises';
import path from 'node:path';
import type { Config } from '#lib/platform/env.ts';
import type { Logger } from '#lib/platform/log.ts';
import { OperatorError } from '#lib/platform/operator-error.ts';
import { type InstallationSecrets, loadSecrets } from '#lib/platform/secrets.ts';
import { type DatabaseUrls, prepareDatabase, refuseUnfinished } from './database.ts';
import { refuseMoved } from './moved.ts';
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
 * as long as the command takes. A server that is started meanwhile says which command uses the data folder.
 *
 * `asItIs` changes nothing of what is there: no migration, no new database. For what is done before an upgrade.
 */
export async function reachDatabase(
  config: Config,
  log: Logger,
  options: { command: string; asItIs?: boolean },
): Promise<ReachedDatabase> {
  if (config.databaseUrl) {
    const { databaseUrls, secrets } = await openDatabase(config, log);
    return { databaseUrls, secrets, release: async () => undefined };
  }
  if (options.asItIs) await requireInitialised(config.dataFolder);
  await mkdir(config.dataFolder, { recursive: true, mode: 0o755 });
  const runFolder = await privateSocketFolder(path.join(config.dataFolder, 'run'));
  const letGo = await holdSingleStart(runFolder, config.dataFolder, options.command).catch(
    (error: unknown) => {
      // The database of another command ends with that command, maybe in the middle of this one.
      if (error instanceof AlreadyRunning && error.command === null) return null;
      throw error;
    },
  );
  if (letGo === null) return reachRunning(config);
  let stop: () => Promise<void> = async () => undefined;
  const release = () => stop().finally(letGo);
  try {
    const { databaseUrls, secrets, postgres } = await openDatabase(config, log);
    stop = async () => postgres?.stop();
    if (options.asItIs) await refuseUnfinished(databaseUrls.owner);
    else await prepareDatabase(databaseUrls.owner);
    return { databaseUrls, secrets, release };
  } catch (error) {
    await release();
    throw error;
  }
}

async function requireInitialised(dataFolder: string): Promise<void> {
  await refuseMoved(dataFolder);
  const place = await placeCluster(dataFolder);
  if (await stat(path.join(place.dataFolder, 'PG_VERSION')).catch(() => null)) return;
  throw new OperatorError(`There is no database in ${dataFolder} yet: start Countersign once first.`);
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
