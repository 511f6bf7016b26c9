import { startGate } from '#gate/main.ts';
import { systemClock } from '#lib/platform/clock.ts';
import { openVault } from '#lib/platform/crypto.ts';
import { openDb } from '#lib/platform/db.ts';
import { parseConfig } from '#lib/platform/env.ts';
import { createLogger } from '#lib/platform/log.ts';

/**
 * Countersign's protocol face in a process of its own, as `--role gate` runs it: every check, budget and event on.
 * Started by `bench/sides.ts`; says `{ port }` to its parent when it listens.
 */
const environment = process.env;
const config = parseConfig(
  {
    PORT: environment.BENCH_PORT,
    LOG_LEVEL: 'error',
    // Budgets are raised for the run, not switched off: each registration still passes every check.
    COUNTERSIGN_REGISTRATIONS_PER_SOURCE: '10000000',
    COUNTERSIGN_REGISTRATIONS_PER_MINUTE: '10000000',
    COUNTERSIGN_UNCLAIMED_PER_SOURCE: '10000000',
    COUNTERSIGN_UNCLAIMED_CLIENTS: '10000000',
  },
  { workingFolder: '/' },
);
const running = await startGate({
  config,
  db: openDb(environment.BENCH_DATABASE_URL ?? '', { prisma: 14, hot: 16, emergency: 4 }),
  vault: openVault(Buffer.from(environment.BENCH_KEY ?? '', 'base64url')),
  log: createLogger({ level: 'error' }),
  clock: systemClock,
  startSecret: 'bench',
  console: null,
  verbSocket: null,
});
process.send?.({ port: running.port });
process.on('disconnect', () => process.exit(0));
