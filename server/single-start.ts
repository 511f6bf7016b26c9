import { rm } from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import { OperatorError } from '#lib/platform/operator-error.ts';

/** Another start already uses the data folder. */
export class AlreadyRunning extends OperatorError {
  constructor(dataFolder: string) {
    super(
      `Countersign already runs on ${dataFolder}. Stop it first, or give this one its own COUNTERSIGN_DATA.`,
    );
  }
}

/**
 * Makes sure one start at a time uses a data folder. The mark is a listening socket, which ends with its process
 * however that ends, so no stale lock can keep a start out.
 *
 * @throws AlreadyRunning when another process holds it.
 */
export async function holdSingleStart(runFolder: string, dataFolder: string): Promise<() => Promise<void>> {
  const address =
    process.platform === 'win32'
      ? `\\\\.\\pipe\\countersign-${runFolder.replaceAll(/[\\/:]/g, '-')}`
      : path.join(runFolder, 'start');
  const server = net.createServer((connection) => connection.destroy());
  server.unref();
  for (let attempt = 0; ; attempt++) {
    const taken = await listen(server, address);
    if (taken) break;
    if (attempt > 2 || (await answers(address))) throw new AlreadyRunning(dataFolder);
    // Left behind by a start that was killed: nobody listens.
    await rm(address, { force: true });
  }
  return () => new Promise((resolve) => server.close(() => resolve()));
}

function listen(server: net.Server, address: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      error.code === 'EADDRINUSE' ? resolve(false) : reject(error),
    );
    server.listen(address, () => resolve(true));
  });
}

function answers(address: string): Promise<boolean> {
  return new Promise((resolve) => {
    const connection = net.connect(address);
    connection.once('connect', () => {
      connection.destroy();
      resolve(true);
    });
    connection.once('error', () => resolve(false));
  });
}
