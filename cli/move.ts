import path from 'node:path';
import { systemClock } from '#lib/platform/clock.ts';
import { readConfig } from '#lib/platform/env.ts';
import { createLogger } from '#lib/platform/log.ts';
import { OperatorError } from '#lib/platform/operator-error.ts';
import { isPostgresUrl } from '#lib/platform/settings.ts';
import manifest from '../package.json' with { type: 'json' };
import { moveDatabase } from '../server/backup/move.ts';
import { findMoved, forgetMoved } from '../server/moved.ts';
import { privateSocketFolder } from '../server/private-folder.ts';
import { holdSingleStart } from '../server/single-start.ts';
import { hostActorName } from './host-context.ts';

/** Moves the embedded database to another PostgreSQL and says what to set. */
export async function move(targetUrl: string): Promise<void> {
  if (!isPostgresUrl(targetUrl)) throw new OperatorError('--to must be a postgresql:// URL.');
  const config = readConfig({});
  const moved = await moveDatabase(targetUrl, {
    config,
    log: createLogger({ level: 'warn' }),
    clock: systemClock,
    actorName: hostActorName('countersign move'),
    version: manifest.version,
  });
  console.log(
    [
      `Moved: ${moved.rows} rows of ${moved.tables} tables, the same on both sides by count and digest.`,
      `History verifies there: ${moved.history.size} events, root ${moved.history.rootHash}.`,
      '',
      `The settings to start with are in ${moved.settingsFile} (mode 0600: it holds passwords).`,
      `Keep COUNTERSIGN_DATA=${config.dataFolder}: the key-encryption key and the session secret are there.`,
      ...moved.remarks,
      '',
      'The old database stays where it is and is not started any more. When you trust the new one, delete postgres/ there.',
    ].join('\n'),
  );
}

/** Takes the mark of a moved database away: the old one may be started again. */
export async function undoMove(): Promise<void> {
  const config = readConfig({});
  const moved = await findMoved(config.dataFolder);
  if (!moved) throw new OperatorError(`Nothing of ${config.dataFolder} was moved.`);
  const letGo = await holdSingleStart(
    await privateSocketFolder(path.join(config.dataFolder, 'run')),
    config.dataFolder,
    'countersign move --undo',
  );
  await forgetMoved(config.dataFolder).finally(letGo);
  console.log(
    [
      `The embedded database of ${config.dataFolder} may be started again, as it was at ${moved.at}.`,
      `Never let it run beside the one at ${moved.to}: unset DATABASE_URL everywhere, and delete that one.`,
      'What was revoked since the move is alive in this one. If anything was, restore a backup of the other instead.',
    ].join('\n'),
  );
}
