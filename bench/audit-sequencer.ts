import { workerData } from 'node:worker_threads';
import { signNote } from '#lib/audit/checkpoint.ts';
import { runSequencer } from '#lib/audit/sequencer.ts';
import { systemClock } from '#lib/platform/clock.ts';
import { openPrivateJwk } from '#lib/platform/jws.ts';
import { createLogger } from '#lib/platform/log.ts';

/** The sequencer as the worker thread runs it, beside the producers of `audit-append`. */
const { databaseUrl, privateJwk, publicKey } = workerData as {
  databaseUrl: string;
  privateJwk: Parameters<typeof openPrivateJwk>[0];
  publicKey: Uint8Array;
};
const name = 'bench.example/audit';
runSequencer({
  databaseUrl,
  holder: 'bench',
  origin: name,
  sign: async (text) => signNote(text, { name, publicKey, privateKey: openPrivateJwk(privateJwk) }),
  clock: systemClock,
  log: createLogger({ level: 'warn' }),
});
