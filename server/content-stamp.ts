import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';

/** Names that never belong to a source tree. */
const ignored = new Set(['node_modules', '.next', '.git', 'client']);

/** SHA-256 over path and content of every file below the given files and folders, in a stable order. */
export async function contentStamp(root: string, names: readonly string[]): Promise<string> {
  const files: string[] = [];
  for (const name of names) await collect(path.join(root, name), files);
  files.sort();
  const hash = createHash('sha256');
  for (const file of files) {
    const content = await readFile(file);
    hash.update(`${path.relative(root, file)}\n${content.length}\n`).update(content);
  }
  return hash.digest('hex');
}

async function collect(at: string, files: string[]): Promise<void> {
  const found = await stat(at).catch(() => null);
  if (!found) return;
  if (found.isFile()) {
    if (!/\.test\.tsx?$/.test(at)) files.push(at);
    return;
  }
  const entries = await readdir(at);
  for (const entry of entries) {
    if (!ignored.has(entry)) await collect(path.join(at, entry), files);
  }
}
