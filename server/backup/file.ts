import { randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { link, open, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { OperatorError } from '#lib/platform/operator-error.ts';
import type { Sink } from './container.ts';

/**
 * Writes a new file that nobody else may read, and gives it its name only when it is whole and on the disk. A file of
 * that name is never overwritten; a process that is killed leaves one whose name ends in `.unfinished`.
 */
export async function writeWholeFile<T>(file: string, write: (sink: Sink) => Promise<T>): Promise<T> {
  const target = path.resolve(file);
  if (await stat(target).catch(() => null)) throw exists(target);
  const unfinished = `${target}.${randomBytes(4).toString('hex')}.unfinished`;
  const handle = await open(unfinished, 'wx', 0o600).catch((error: NodeJS.ErrnoException) => {
    throw new OperatorError(`${path.dirname(target)} cannot be written: ${error.message}`, { cause: error });
  });
  try {
    try {
      const result = await write(async (bytes) => {
        await handle.appendFile(bytes);
      });
      await handle.sync();
      // A link fails when the name exists by now, and shows the name only with the whole content.
      await link(unfinished, target).catch((error: NodeJS.ErrnoException) => {
        throw error.code === 'EEXIST' ? exists(target) : error;
      });
      return result;
    } finally {
      await handle.close();
      await rm(unfinished, { force: true });
      await syncFolder(path.dirname(target));
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOSPC' || code === 'EIO')
      throw new OperatorError(`The backup could not be written to ${target}: ${(error as Error).message}`, {
        cause: error,
      });
    throw error;
  }
}

function exists(target: string): OperatorError {
  return new OperatorError(`${target} exists already. Give another name; nothing is overwritten.`);
}

/** Makes names given in a folder survive a loss of power. Windows keeps them by itself. */
export async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(folder, 'r');
  await handle.sync().finally(() => handle.close());
}

/** The bytes of a file from an offset. */
export function readBytes(file: string, offset = 0): AsyncIterable<Buffer> {
  return createReadStream(file, { start: offset, highWaterMark: 256 * 1024 });
}

/** The size of a file an operator named. */
export async function sizeOf(file: string): Promise<number> {
  const found = await stat(file).catch((error: NodeJS.ErrnoException) => {
    throw new OperatorError(
      error.code === 'ENOENT' ? `There is no file ${file}.` : `${file} cannot be read: ${error.message}`,
    );
  });
  if (!found.isFile()) throw new OperatorError(`${file} is not a file.`);
  return found.size;
}
