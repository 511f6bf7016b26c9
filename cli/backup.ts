import path from 'node:path';
import { systemClock } from '#lib/platform/clock.ts';
import { openVault } from '#lib/platform/crypto.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { readConfig } from '#lib/platform/env.ts';
import { createLogger } from '#lib/platform/log.ts';
import { OperatorError } from '#lib/platform/operator-error.ts';
import { recordBackupFinish, recordCopy } from '#lib/revocation/record-copy.ts';
import manifest from '../package.json' with { type: 'json' };
import { backupKeysOf } from '../server/backup/container.ts';
import { sizeOf, writeWholeFile } from '../server/backup/file.ts';
import { findKey } from '../server/backup/open-empty.ts';
import { restoreBackup } from '../server/backup/restore.ts';
import { type VerifiedBackup, verifyBackup } from '../server/backup/verify.ts';
import { writeBackup } from '../server/backup/write.ts';
import type { ReachedDatabase } from '../server/reach-database.ts';
import { hostActorName, withHostContext } from './host-context.ts';

/** Writes everything the installation holds to one new file, while the server runs or not. */
export async function backup(file: string): Promise<void> {
  await withHostContext('countersign backup', backupInto(file), { asItIs: true });
}

/** Exported for tests, which have their own database. */
export function backupInto(file: string) {
  return async (ctx: Ctx, database: ReachedDatabase): Promise<void> => {
    const keys = backupKeysOf(openVault(database.secrets.keyEncryptionKey));
    const to = path.basename(file);
    const { written, beganBy } = await writeWholeFile(file, async (sink) => {
      const beganBy = await recordCopy(ctx, { kind: 'installation.backup', to });
      const written = await writeBackup(database.databaseUrls.owner, {
        sink,
        keys,
        version: manifest.version,
        clock: ctx.clock,
        withoutEphemeral: true,
      });
      return { written, beganBy };
    });
    const bytes = await sizeOf(file);
    // Only now, with its name and on the disk, does it count as one.
    await recordBackupFinish(ctx, { beganBy, to, digest: written.end.digest, bytes }).catch(
      (cause: Error) => {
        throw new OperatorError(
          `${path.resolve(file)} is whole, but history could not be told, so it will not count as the last backup: ${cause.message}`,
          { cause },
        );
      },
    );
    const { history, issuer } = written.header;
    console.log(
      [
        `${path.resolve(file)}: ${megabytes(bytes)}, ${written.end.rows} rows of ${written.end.tables} tables.`,
        `Of ${issuer}, with ${history.size} events in the log, root ${history.rootHash}.`,
        'It is readable text, with names, mail addresses and password hashes: keep it as you keep those.',
        'What it does not hold is the key-encryption key. Without that key nothing can be restored from it: keep both, apart from each other.',
        `Check it where you keep it: countersign verify ${file}`,
      ].join('\n'),
    );
  };
}

/** Checks a backup with nothing but the file, and with the key of this host where there is one. */
export async function verify(file: string): Promise<void> {
  const config = readConfig({});
  const key = await findKey(config);
  const verified = await verifyBackup(file, key ? backupKeysOf(openVault(key)) : null);
  console.log(
    [
      ...linesAbout(verified),
      verified.sealed
        ? 'Its seal is that of the key of this host: nobody without that key wrote or altered it.'
        : `Not checked: whose it is. ${key ? 'It was made with another key than this host has.' : 'The key it was made with is not on this host.'}`,
    ].join('\n'),
  );
}

/** Restores a backup into the empty database of this configuration, or into a new folder with the key of this host. */
export async function restore(file: string, options: { newFolder?: string | undefined }): Promise<void> {
  const given = readConfig({});
  if (options.newFolder && given.databaseUrl)
    throw new OperatorError('--into-new-folder is for the embedded PostgreSQL: unset DATABASE_URL.');
  const config = options.newFolder ? { ...given, dataFolder: path.resolve(options.newFolder) } : given;
  const { verified, ended, livingKeys } = await restoreBackup(file, {
    config,
    keyOf: given,
    newFolder: options.newFolder !== undefined,
    log: createLogger({ level: 'warn' }),
    clock: systemClock,
    actorName: hostActorName('countersign restore'),
  });
  const counted = (count: number, what: string) => `  ${String(count).padStart(6)}  ${what}`;
  console.log(
    [
      ...linesAbout(verified),
      '',
      `Restored into ${config.databaseUrl ? 'the database of DATABASE_URL' : config.dataFolder}.`,
      '',
      'Ended for good, as the backup knew them, expired or not; what was given out after it died with its keys:',
      counted(ended.keys, 'keys that signed tokens (killed; everything they signed is refused)'),
      counted(
        ended.handedOver,
        'keys of feeds and checkpoints (killed; the next ones, which guards know already, took over)',
      ),
      counted(ended.tokens, 'access tokens and revealed tokens'),
      counted(ended.families, 'sign-ins of clients (refresh tokens): their people sign in once more'),
      counted(
        ended.codes + ended.waitingBrowsers + ended.devices,
        'authorization codes, and browsers and devices that waited',
      ),
      counted(ended.reveals, 'rights of owners to reveal a token'),
      counted(ended.sessions, 'sessions of people: everybody signs in again'),
      counted(ended.apiTokens, 'API tokens: make new ones'),
      counted(ended.links + ended.joinTokens, 'invitations, reset links and join tokens of guards'),
      '',
      'Wait until an admin resumes issuance, because nothing is issued before:',
      '  agents and their approvals, client secrets and keys, tokens of MCP servers, enrolled guards.',
      'What was revoked, narrowed or deactivated after the backup is alive in it. End it again first:',
      ...(livingKeys.length === 0
        ? []
        : [
            'Keys of people are alive as in the backup, and may have been removed since. Compare them with their owners:',
            ...livingKeys.map(({ whose, name, kind }) => `  ${whose}: ${kind} ${JSON.stringify(name)}`),
          ]),
      'docs/operations.md says how to find it. Then start Countersign, sign in as an admin and resume issuance.',
      ...(options.newFolder
        ? [
            '',
            `Start it with COUNTERSIGN_DATA=${config.dataFolder}`,
            ...(given.keyEncryptionKey
              ? ['and COUNTERSIGN_KEY_ENCRYPTION_KEY as now: the key was not written there.']
              : []),
          ]
        : []),
    ].join('\n'),
  );
}

function linesAbout({ header, end, bytes, history }: VerifiedBackup): string[] {
  return [
    `The backup is whole: ${megabytes(bytes)}, ${end.rows} rows of ${end.tables} tables, every digest holds.`,
    `Made ${header.createdAt} by Countersign ${header.version} for ${header.issuer}, at ${header.migrations.at(-1)?.name}.`,
    `Its history verifies: ${history.size} events, root ${history.rootHash}, ${history.checkpoints} signed checkpoints agree.`,
  ];
}

function megabytes(bytes: number): string {
  return `${(bytes / 1_000_000).toFixed(1)} MB`;
}
