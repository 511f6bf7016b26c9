import { defineConfig } from '@playwright/test';

/**
 * Journeys of people through the console, each with a product of its own (tests/product.ts) and the browser of
 * tests/browser.ts. One after the other: two cores carry one product, its database and a browser.
 */
export default defineConfig({
  testDir: 'e2e/journeys',
  testMatch: '**/*.ts',
  // A wait that nobody ends lasts five minutes of real time: `npm run test:long` sits through it.
  testIgnore: ['**/support/**', '**/*-page.ts', ...(process.env.JOURNEYS_LONG ? [] : ['**/waiting-ends.ts'])],
  workers: 1,
  fullyParallel: false,
  // A journey that needs a second try is a broken one.
  retries: 0,
  timeout: 180_000,
  expect: { timeout: 15_000 },
  outputDir: 'test-results',
});
