import { rm } from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import { OperatorError } from '#lib/platform/operator-error.ts';

/** Another start already uses the data folder. */
export class AlreadyRunning extends OperatorError {
  /** Which command of the host it is; null for the server. */
  readonly command: string | null;

  constructor(dataFolder: string, command: string | null) {
    super(
      command
        ? `A command of the host, ${command}, uses ${dataFolder} at this moment. Wait until it is done.`
        : `Countersign already runs on ${dataFolder}. Stop it first, or give this one its own COUNTERSIGN_DATA.`,
    );
    this.command = command;
  }
}

const answerTimeoutMs = 2_000;
const longestAnswer = 200;

/**
 * Makes sure one start at a time uses a data folder. The mark is a listening socket, which ends with its process
 * however that ends, so no stale lock can keep a start out; whoever asks it is told which command holds the folder.
 *
 * @throws AlreadyRunning when another process holds it.
 */
export async function holdSingleStart(
  runFolder: string,
  dataFolder: string,
  command: string | null = null,
): Promise<() => Promise<void>> {
  const address =
    process.platform === 'win32'
      ? `\\\\.\\pipe\\countersign-${runFolder.replaceAll(/[\\/:]/g, '-')}`
      : path.join(runFolder, 'start');
  const server = net.createServer((connection) => {
    connection.on('error', () => undefined);
    connection.end(command ?? '', () => connection.destroy());
  });
  server.unref();
  for (let attempt = 0; ; attempt++) {
    const taken = await listen(server, address);
    if (taken) break;
    const holder = await askHolder(address);
    if (attempt > 2 || holder !== null) throw new AlreadyRunning(dataFolder, holder || null);
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

/** What the holder says it is, '' for a server; null where nobody listens. One that is stopped holds it all the same. */
function askHolder(address: string): Promise<string | null> {
  return new Promise((resolve) => {
    let connected = false;
    let text = '';
    const connection = net.connect(address);
    connection.setEncoding('utf8').setTimeout(answerTimeoutMs, () => connection.destroy());
    connection.once('connect', () => {
      connected = true;
    });
    connection.on('data', (piece: string) => {
      text = (text + piece).slice(0, longestAnswer);
    });
    connection.on('error', () => undefined);
    connection.once('close', () => resolve(connected ? text : null));
  });
}
