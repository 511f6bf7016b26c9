import { systemActor } from '#lib/platform/actor.ts';
import type { Clock } from '#lib/platform/clock.ts';
import { openVault } from '#lib/platform/crypto.ts';
import { openDb } from '#lib/platform/db.ts';
import type { Config } from '#lib/platform/env.ts';
import { newId } from '#lib/platform/ids.ts';
import type { Logger } from '#lib/platform/log.ts';
import { OperatorError } from '#lib/platform/operator-error.ts';
import { siteOf } from '#lib/platform/site.ts';
import { type EndedByRestore, settleRestored } from '#lib/revocation/settle-restored.ts';
import { prepareDatabase } from '../database.ts';
import { backupKeysOf, readContainer } from './container.ts';
import { readBytes } from './file.ts';
import { finishLoading, holdLoading, loadBackup } from './load.ts';
import { forgetBegun, openForRestore, prepareNewFolder, requireKey } from './open-empty.ts';
import { type VerifiedBackup, verifyBackup } from './verify.ts';

export type Restored = {
  verified: VerifiedBackup;
  ended: EndedByRestore;
  /** Keys people sign in and approve with that live in the backup; they may have been removed since. */
  livingKeys: { whose: string; name: string; kind: string }[];
};

/**
 * Restores a backup into an empty database, and makes it safe to start: everything that was given out before is ended
 * and nothing is issued until an admin resumes. The backup is verified whole before the database is touched, and
 * again while it is read. Cut off at any point it leaves a database nothing starts on.
 *
 * @throws OperatorError in words for whoever ran it.
 */
export async function restoreBackup(
  file: string,
  options: {
    config: Config;
    log: Logger;
    clock: Clock;
    actorName: string;
    /** Where the key is looked for, if not in the folder that is restored into. */
    keyOf?: Config;
    /** Whether the data folder is to be made, with the key in it where that lay in a file. */
    newFolder?: boolean;
  },
): Promise<Restored> {
  const { config, log, clock } = options;
  const keyOf = options.keyOf ?? config;
  const key = await requireKey(keyOf);
  const keys = backupKeysOf(openVault(key));
  const verified = await verifyBackup(file, keys);
  refuseOther(verified, config, keys.check);
  if (options.newFolder)
    await prepareNewFolder(config.dataFolder, {
      key,
      keyCheck: keys.check,
      write: keyOf.keyEncryptionKey === null,
    });
  const database = await openForRestore(config, log, 'countersign restore');
  try {
    const { owner, gate } = database.databaseUrls;
    await using _alone = await holdLoading(owner);
    const loaded = await loadBackup(owner, readContainer(readBytes(file)), 'restore');
    if (loaded.end.seal !== verified.end.seal)
      throw new OperatorError(`${file} was exchanged while it was read. Run the restore again.`);
    await prepareDatabase(owner, { restoring: true });
    const db = openDb(gate, { prisma: 2, hot: 1, emergency: 1 });
    try {
      const ended = await settleRestored(
        {
          actor: systemActor(options.actorName),
          clock,
          db,
          vault: openVault(key),
          site: siteOf(config),
          traceId: newId('trace'),
          address: null,
          userAgent: null,
        },
        {
          madeAt: verified.header.createdAt,
          digest: verified.end.digest,
          historySize: verified.history.size,
          rootHash: verified.history.rootHash,
        },
      );
      await finishLoading(owner);
      await forgetBegun(config.dataFolder);
      const living = await db.prisma.personKey.findMany({
        where: { endedAt: null },
        select: { personId: true, name: true, kind: true },
        orderBy: [{ personId: 'asc' }, { createdAt: 'asc' }],
      });
      const people = await db.prisma.person.findMany({ select: { id: true, email: true } });
      const emails = new Map(people.map(({ id, email }) => [id, email]));
      const livingKeys = living.map(({ personId, name, kind }) => ({
        whose: emails.get(personId) ?? personId,
        name,
        kind,
      }));
      return { verified, ended, livingKeys };
    } finally {
      await db.close();
    }
  } finally {
    await database.release();
  }
}

function refuseOther({ header }: VerifiedBackup, config: Config, keyCheck: string): void {
  if (header.keyCheck !== keyCheck) {
    throw new OperatorError(
      'The key-encryption key of this host is not the one this backup was made with: its sealed keys and secrets could not be opened. Put the right one in place.',
    );
  }
  if (header.issuer !== config.issuer) {
    throw new OperatorError(
      `The backup is of the issuer ${header.issuer}, and this host is configured as ${config.issuer}. Set COUNTERSIGN_ISSUER (or PORT, which the default issuer contains) to the former.`,
    );
  }
  if (header.demo) throw new OperatorError('The backup is of a demo, which nothing real may be built on.');
}
