import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { z } from 'zod';
import { configSchema } from '#lib/platform/settings.ts';

/**
 * Writes docs/configuration.md from the schema that parses the environment, so that the page cannot be wrong:
 *
 *   node --import ./scripts/prepare.mjs scripts/write-configuration.ts
 */

export const configurationPage = path.join(import.meta.dirname, '../docs/configuration.md');

/** The page as it should be. Pure: the same schema gives the same text. */
export function renderConfiguration(): string {
  const rows = Object.entries(configSchema.shape).map(([name, schema]) => [
    `\`${name}\``,
    toCell(schema.description ?? ''),
    defaultOf(schema),
  ]);
  return `# Configuration

Environment variables, read once at the start and reported there; every wrong value is named at once. An empty variable
is an absent one, and an unknown \`COUNTERSIGN_…\` variable is an error. \`npm run -s countersign -- config\` prints what is
set. This page is written by \`scripts/write-configuration.ts\` from \`lib/platform/env.ts\`.

${toTable([['Variable', 'What it is', 'Default'], ...rows])}

A guard has settings of its own: [guard/README.md](../guard/README.md).
`;
}

function defaultOf(schema: z.ZodType): string {
  const parsed = schema.safeParse(undefined);
  if (!parsed.success || parsed.data === undefined) return '–';
  const value = parsed.data;
  if (Array.isArray(value))
    return value.length === 0 ? 'none' : value.map((each) => `\`${each}\``).join(', ');
  if (typeof value === 'boolean') return value ? '`1`' : '`0`';
  return `\`${String(value)}\``;
}

function toCell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('<', '&lt;');
}

/** Columns of equal width, as the formatter of this repository wants them. */
function toTable(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  const line = (row: readonly string[]) =>
    `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  const [head, ...body] = rows;
  const rule = `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`;
  return [line(head ?? []), rule, ...body.map(line)].join('\n');
}

if (import.meta.main) {
  const page = renderConfiguration();
  const isCurrent = readFileSync(configurationPage, { encoding: 'utf8', flag: 'a+' }) === page;
  if (!isCurrent) writeFileSync(configurationPage, page);
  console.log(isCurrent ? 'docs/configuration.md is current.' : 'docs/configuration.md was written.');
}
