import { systemClock } from '#lib/platform/clock.ts';
import { readConfig } from '#lib/platform/env.ts';
import { createLogger } from '#lib/platform/log.ts';
import { OperatorError } from '#lib/platform/operator-error.ts';
import manifest from '../package.json' with { type: 'json' };
import { collectDiagnostics } from '../server/diagnostics.ts';
import { type ReachedDatabase, reachDatabase } from '../server/reach-database.ts';

/** Prints what somebody who helps needs to know, as JSON; as much of it as can be found. */
export async function diagnostics(): Promise<void> {
  const config = readConfig({});
  let database: ReachedDatabase | null = null;
  let databaseProblem: string | null = null;
  try {
    database = await reachDatabase(config, createLogger({ level: 'silent' }), {
      command: 'countersign diagnostics',
      asItIs: true,
    });
  } catch (error) {
    databaseProblem = error instanceof OperatorError ? error.message : String(error);
  }
  try {
    const found = await collectDiagnostics({
      config,
      clock: systemClock,
      version: manifest.version,
      ownerUrl: database?.databaseUrls.owner ?? null,
      databaseProblem,
    });
    console.log(JSON.stringify(found, null, 2));
  } finally {
    await database?.release();
  }
}
