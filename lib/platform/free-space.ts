import { statfs } from 'node:fs/promises';

export type FreeSpace = {
  /** The folder with the least room of those asked about. */
  folder: string;
  /** Bytes a process without privileges may still write there. */
  freeBytes: number;
};

/** Room on the disks under these folders: that of the tightest. Throws when one cannot be asked. */
export async function readFreeSpace(folders: readonly string[]): Promise<FreeSpace> {
  const found = await Promise.all(
    folders.map(async (folder) => {
      const { bavail, bsize } = await statfs(folder);
      return { folder, freeBytes: bavail * bsize };
    }),
  );
  const [tightest] = found.sort((a, b) => a.freeBytes - b.freeBytes);
  if (!tightest) throw new TypeError('name at least one folder');
  return tightest;
}
