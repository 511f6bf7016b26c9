import type { Bench, BenchRow } from './row.ts';
import { closeSides } from './sides.ts';

/** Every row, by the file that measures it; loaded only when it is asked for. */
const benches: readonly { rows: readonly string[]; long?: boolean; load(): Promise<{ run: Bench }> }[] = [
  { rows: ['audit-append'], load: () => import('./audit-append.ts') },
  // Seeds five million events first, which takes minutes: measured when it is named.
  { rows: ['audit-search'], long: true, load: () => import('./audit-search.ts') },
  { rows: ['issue'], load: () => import('./issue.ts') },
  { rows: ['register'], load: () => import('./register.ts') },
  { rows: ['introspect'], load: () => import('./introspect.ts') },
  { rows: ['revoke'], load: () => import('./revoke.ts') },
  { rows: ['decide-cold', 'decide-warm'], load: () => import('./decide.ts') },
  { rows: ['guard-proxy'], load: () => import('./guard-proxy.ts') },
  { rows: ['push'], load: () => import('./push.ts') },
  { rows: ['revoke-to-refused'], load: () => import('./revoke-to-refused.ts') },
];

/**
 * Measures the rows asked for (all unless told) and prints a table, or with `json` one object a line. Returns the
 * exit code: 0 when every row could be measured, whatever it measured.
 */
export async function runBenchmarks(options: {
  json: boolean;
  only: readonly string[] | null;
}): Promise<number> {
  const known = benches.flatMap((bench) => bench.rows);
  const unknown = options.only?.filter((row) => !known.includes(row)) ?? [];
  if (unknown.length > 0) {
    console.error(`There is no row ${unknown.join(', ')}. Rows: ${known.join(', ')}.`);
    return 2;
  }
  const rows: BenchRow[] = [];
  let failed = false;
  for (const bench of benches) {
    if (options.only ? !bench.rows.some((row) => options.only?.includes(row)) : bench.long) continue;
    try {
      const { run } = await bench.load();
      for (const row of await run()) {
        if (options.only && !options.only.includes(row.row)) continue;
        rows.push(row);
        if (options.json) console.log(JSON.stringify(row));
      }
    } catch (error) {
      failed = true;
      console.error(`${bench.rows.join(', ')} could not be measured:`, error);
    }
  }
  await closeSides();
  if (!options.json) printTable(rows);
  return failed ? 1 : 0;
}

function printTable(rows: readonly BenchRow[]): void {
  const head = ['row', 'value', 'unit', 'peer', 'ratio', 'goal', 'met', 'conditions'];
  const cells = rows.map((row) => [
    row.row,
    String(row.value),
    row.unit,
    row.peer === null ? '' : String(row.peer),
    row.ratio === null ? '' : String(row.ratio),
    row.goal,
    row.met === null ? '' : row.met ? 'yes' : 'NO',
    row.conditions,
  ]);
  const widths = head.map((title, column) =>
    Math.max(title.length, ...cells.map((line) => (line[column] as string).length)),
  );
  for (const line of [head, ...cells]) {
    console.log(
      line
        .map((cell, column) => cell.padEnd(widths[column] as number))
        .join('  ')
        .trimEnd(),
    );
  }
}
