#!/usr/bin/env node
import { ConfigError, readConfig } from './config.ts';
import { startGuard } from './guard.ts';
import { EnrolmentError } from './identity.ts';

try {
  const { quiet, ...options } = readConfig(process.env, process.argv.slice(2));
  const guard = await startGuard({
    ...options,
    log: (event, facts) => {
      if (!quiet) console.log(JSON.stringify({ at: new Date().toISOString(), event, ...facts }));
    },
  });
  let stopping = false;
  const stop = async () => {
    if (stopping) return;
    stopping = true;
    await guard.stop();
    process.exit(0);
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
} catch (cause) {
  const expected = cause instanceof ConfigError || cause instanceof EnrolmentError;
  console.error(expected ? `countersign-guard: ${(cause as Error).message}` : cause);
  process.exit(1);
}
