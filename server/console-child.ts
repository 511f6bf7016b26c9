import { startConsole } from './console.ts';

/** First program of the console process. The parent sends where to listen, then nothing; its end is this one's end. */
process.once('message', async (message: { host: string; port: number; startSecret: string }) => {
  try {
    const stop = await startConsole(message);
    const end = () => {
      stop().finally(() => process.exit(0));
      setTimeout(() => process.exit(0), 5_000).unref();
    };
    process.once('disconnect', end);
    process.once('SIGTERM', end);
    // Ctrl-C reaches the whole group; the parent decides the order in which things end.
    process.on('SIGINT', () => undefined);
    process.send?.('ready');
  } catch (error) {
    console.error(error);
    process.exit(1);
  }
});
