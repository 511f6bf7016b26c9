import { open, readFile, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { OperatorError } from '#lib/platform/operator-error.ts';
import { syncFolder } from './backup/file.ts';

/** The mark of a data folder whose embedded database was copied to another PostgreSQL: what is left there grows old. */
const movedSchema = z.object({ to: z.string(), at: z.string() });
export type Moved = z.output<typeof movedSchema>;

const fileOf = (dataFolder: string) => path.join(dataFolder, 'moved');

export async function markMoved(dataFolder: string, moved: Moved): Promise<void> {
  const unfinished = `${fileOf(dataFolder)}.new`;
  const handle = await open(unfinished, 'w');
  try {
    await handle.writeFile(`${JSON.stringify(moved)}\n`);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(unfinished, fileOf(dataFolder));
  await syncFolder(dataFolder);
}

/** Where the database went, or null. A mark that cannot be read is one all the same. */
export async function findMoved(dataFolder: string): Promise<Moved | null> {
  const text = await readFile(fileOf(dataFolder), 'utf8').catch(() => null);
  if (text === null) return null;
  try {
    return movedSchema.parse(JSON.parse(text));
  } catch {
    return { to: 'another PostgreSQL', at: 'some time ago' };
  }
}

export async function forgetMoved(dataFolder: string): Promise<void> {
  await rm(fileOf(dataFolder), { force: true });
}

/** @throws OperatorError where the embedded database of this folder is no longer the one to use. */
export async function refuseMoved(dataFolder: string): Promise<void> {
  const moved = await findMoved(dataFolder);
  if (!moved) return;
  throw new OperatorError(
    `The database of ${dataFolder} was moved to ${moved.to} (${moved.at}). What is left here is a copy of that moment: ` +
      'started again it would be a second history. Set DATABASE_URL and the other settings that the move printed. To go ' +
      'back to this copy, and lose what happened since: countersign move --undo',
  );
}
