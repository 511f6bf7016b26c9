import { defineConfig } from 'vitest/config';

const shared = {
  globalSetup: ['tests/setup/postgres.ts'],
  environment: 'node' as const,
  pool: 'forks' as const,
  testTimeout: 20_000,
  hookTimeout: 60_000,
};

/**
 * Projects over one PostgreSQL each: `unit` (beside the code), `conformance` (over HTTP, black box) and `long` (the
 * loops of `npm run test:long`).
 */
export default defineConfig({
  test: {
    maxWorkers: 2,
    projects: [
      {
        test: {
          ...shared,
          name: 'unit',
          include: [
            '{lib,gate,guard,policies,app,components,server,prisma,cli,scripts,tests,demo,examples}/**/*.test.{ts,tsx}',
          ],
        },
      },
      {
        test: {
          ...shared,
          name: 'conformance',
          include: ['e2e/conformance/**/*.test.ts'],
          testTimeout: 60_000,
          hookTimeout: 180_000,
          fileParallelism: false,
        },
      },
      {
        test: {
          ...shared,
          name: 'long',
          include: ['e2e/long/**/*.test.ts'],
          testTimeout: 3_600_000,
          hookTimeout: 180_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
