import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFile, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { prismaFolder, schemaFile } from './schema-engine.ts';

const run = promisify(execFile);
const clientFolder = path.join(prismaFolder, 'client');
const stampFile = path.join(clientFolder, 'generated-from');
const root = path.dirname(prismaFolder);

/**
 * Generates the Prisma client into prisma/client when schema.prisma or Prisma itself changed since the last time.
 * Returns whether it did. The new client replaces the old one by a rename, so a program that starts meanwhile never
 * sees half of it.
 */
export async function generateClientIfStale(): Promise<boolean> {
  const wanted = await stamp();
  const present = await readFile(stampFile, 'utf8').catch(() => '');
  if (present === wanted) return false;
  const workspace = path.join(prismaFolder, `client.${process.pid}`);
  await rm(workspace, { recursive: true, force: true });
  await mkdir(workspace, { recursive: true });
  try {
    const schemaCopy = path.join(workspace, 'schema.prisma');
    await copyFile(schemaFile, schemaCopy);
    await run(
      process.execPath,
      [
        path.join(root, 'node_modules/prisma/build/index.js'),
        'generate',
        '--no-hints',
        '--schema',
        schemaCopy,
      ],
      {
        cwd: root,
        env: {
          ...process.env,
          // Generation runs no engine, yet Prisma insists on having one: any existing program spares the download.
          PRISMA_SCHEMA_ENGINE_BINARY: process.execPath,
          CHECKPOINT_DISABLE: '1',
          PRISMA_HIDE_UPDATE_MESSAGE: '1',
        },
      },
    ).catch((error: Error & { stderr?: string; stdout?: string }) => {
      throw new Error(`prisma generate failed.\n${error.stderr ?? ''}${error.stdout ?? ''}`.trim());
    });
    const made = path.join(workspace, 'client');
    await writeFile(path.join(made, 'generated-from'), wanted);
    const replaced = path.join(workspace, 'replaced');
    await rename(clientFolder, replaced).catch(() => undefined);
    await rename(made, clientFolder);
  } finally {
    await rm(workspace, { recursive: true, force: true });
  }
  return true;
}

async function stamp(): Promise<string> {
  const manifest = JSON.parse(await readFile(path.join(root, 'node_modules/prisma/package.json'), 'utf8'));
  const schema = await readFile(schemaFile);
  return createHash('sha256').update(String(manifest.version)).update('\n').update(schema).digest('hex');
}

if (import.meta.main) {
  console.log((await generateClientIfStale()) ? 'generated prisma/client' : 'prisma/client is up to date');
}
