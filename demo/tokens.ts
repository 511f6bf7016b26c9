import { readFileSync } from 'node:fs';
import { readConfig } from '#lib/platform/env.ts';
import { tokensFileIn } from './start.ts';

const { dataFolder } = readConfig({ demo: true });
try {
  process.stdout.write(readFileSync(tokensFileIn(dataFolder), 'utf8'));
} catch {
  console.error(`There are no demo tokens in ${dataFolder}. Run "npm run demo" first.`);
  process.exitCode = 1;
}
