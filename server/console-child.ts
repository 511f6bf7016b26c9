import { startConsole } from './console.ts';

/** First program of the console process. The parent sends where to listen, then nothing; its end is this one's end. */

let stop: (() => Promise<void>) | null = null;

function end(): void {
  if (!stop) process.exit(0);
  setTimeout(() => process.exit(0), 5_000).unref();
  stop().finally(() => process.exit(0));
}

// From the first moment on: a parent that is killed while this one is starting must not leave it behind.
process.once('disconnect', end);
process.once('SIGTERM', end);
// Ctrl-C reaches the whole group; the parent decides the order in which things end.
process.on('SIGINT', () => undefined);

process.once('message', async (message: { host: string; port: number; startSecret: string }) => {
  try {
    stop = await startConsole(message);
    process.send?.('ready');
  } catch (error) {
    console.error(error);
    process.exit(1);
  }
});
