import { parseArgs } from 'node:util';
import { runBenchmarks } from './run.ts';

const { values } = parseArgs({ options: { json: { type: 'boolean' }, only: { type: 'string' } } });
process.exitCode = await runBenchmarks({ json: values.json === true, only: values.only?.split(',') ?? null });
