import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { buildConsoleIfStale } from '../server/build-console.ts';

/**
 * The test command: every check and suite one after the other, each with its own result, and a last line that sums
 * them all: `N passed, N failed`. A check counts as one. `--long` adds the long loops; names after `--only` choose.
 */

type Outcome = { passed: number; failed: number };
type Suite = {
  name: string;
  /** Returns what to run; `report` is where its JSON report goes. */
  command(report: string): { program: string; args: string[]; environment?: Record<string, string> };
  /** Reads the JSON report; null for a check, which passes or fails as a whole. */
  count: ((report: unknown) => Outcome) | null;
  long?: boolean;
};

const root = path.dirname(import.meta.dirname);
const bin = (name: string) => path.join(root, 'node_modules', name);

const check = (name: string, program: string, ...args: string[]): Suite => ({
  name,
  command: () => ({ program, args }),
  count: null,
});

const vitest = (name: string, project: string, long = false): Suite => ({
  name,
  long,
  command: (report) => ({
    program: bin('vitest/vitest.mjs'),
    args: [
      'run',
      `--project=${project}`,
      '--passWithNoTests',
      '--reporter=dot',
      '--reporter=json',
      `--outputFile.json=${report}`,
    ],
  }),
  count: countVitest,
});

const suites: readonly Suite[] = [
  check('format', bin('@biomejs/biome/bin/biome'), 'format', '.'),
  check('lint', bin('@biomejs/biome/bin/biome'), 'lint', '.'),
  check('arrows', path.join(root, 'scripts/lint-arrows.ts')),
  check('types', bin('typescript/bin/tsc'), '--noEmit', '-p', root),
  vitest('unit', 'unit'),
  vitest('conformance', 'conformance'),
  {
    name: 'journeys',
    command: (report) => ({
      program: bin('@playwright/test/cli.js'),
      args: ['test', '--pass-with-no-tests', '--reporter=list,json'],
      environment: {
        PLAYWRIGHT_JSON_OUTPUT_NAME: report,
        ...(process.argv.includes('--long') ? { JOURNEYS_LONG: '1' } : {}),
      },
    }),
    count: countPlaywright,
  },
  vitest('long', 'long', true),
];

function countVitest(report: unknown): Outcome {
  const {
    numPassedTests = 0,
    numFailedTests = 0,
    numFailedTestSuites = 0,
    testResults = [],
  } = report as {
    numPassedTests?: number;
    numFailedTests?: number;
    numFailedTestSuites?: number;
    testResults?: { status: string; assertionResults: unknown[] }[];
  };
  // A file that could not be loaded has no tests in it, and must not pass for that.
  const broken = testResults.filter(
    (file) => file.status === 'failed' && file.assertionResults.length === 0,
  ).length;
  const failed = numFailedTests + broken;
  return {
    passed: numPassedTests,
    failed: failed === 0 && numFailedTestSuites > 0 ? numFailedTestSuites : failed,
  };
}

function countPlaywright(report: unknown): Outcome {
  const { stats, errors = [] } = report as {
    stats: { expected: number; unexpected: number; flaky: number };
    errors?: unknown[];
  };
  // A journey that passed only when repeated did not pass.
  return { passed: stats.expected, failed: stats.unexpected + stats.flaky + errors.length };
}

async function run(suite: Suite, folder: string): Promise<Outcome> {
  const report = path.join(folder, `${suite.name}.json`);
  const { program, args, environment } = suite.command(report);
  const child = spawn(process.execPath, [program, ...args], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, CI: process.env.CI ?? '1', FORCE_COLOR: '0', ...environment },
  });
  const [code] = (await once(child, 'close')) as [number | null];
  const asCheck = code === 0 ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 };
  if (!suite.count) return asCheck;
  const text = await readFile(report, 'utf8').catch(() => null);
  if (text === null) return { passed: 0, failed: 1 };
  const counted = suite.count(JSON.parse(text));
  // A suite that ends badly without a failed test (a crash, an unhandled error) has failed all the same.
  return code !== 0 && counted.failed === 0 ? { ...counted, failed: 1 } : counted;
}

async function main(): Promise<void> {
  const args = process.argv.slice(2);
  const only = args.includes('--only') ? args.slice(args.indexOf('--only') + 1) : null;
  const chosen = suites.filter((suite) =>
    only ? only.includes(suite.name) : args.includes('--long') || !suite.long,
  );
  const folder = await mkdtemp(path.join(os.tmpdir(), 'countersign-reports-'));
  const results: { name: string; outcome: Outcome; seconds: number }[] = [];
  try {
    // The console is part of what is tested, and its build writes declarations the types check reads.
    await buildConsoleIfStale({ quiet: true }).catch((error: Error) => {
      console.error(error.message);
      results.push({ name: 'build', outcome: { passed: 0, failed: 1 }, seconds: 0 });
    });
    for (const suite of chosen) {
      console.log(`\n── ${suite.name} ${'─'.repeat(Math.max(0, 90 - suite.name.length))}`);
      const startedAt = performance.now();
      const outcome = await run(suite, folder);
      const seconds = (performance.now() - startedAt) / 1000;
      results.push({ name: suite.name, outcome, seconds });
      console.log(line(suite.name, outcome, seconds));
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  console.log('\n── summary');
  for (const { name, outcome, seconds } of results) console.log(line(name, outcome, seconds));
  const passed = results.reduce((sum, { outcome }) => sum + outcome.passed, 0);
  const failed = results.reduce((sum, { outcome }) => sum + outcome.failed, 0);
  console.log(`\n${passed} passed, ${failed} failed`);
  process.exit(failed === 0 ? 0 : 1);
}

function line(name: string, { passed, failed }: Outcome, seconds: number): string {
  return `${failed === 0 ? 'ok    ' : 'FAILED'} ${name.padEnd(12)} ${passed} passed, ${failed} failed (${seconds.toFixed(1)} s)`;
}

await main();
