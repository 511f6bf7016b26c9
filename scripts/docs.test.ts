import { existsSync, globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import manifest from '../package.json' with { type: 'json' };
import { configurationPage, renderConfiguration } from './write-configuration.ts';

const root = path.join(import.meta.dirname, '..');
const pages = globSync('**/*.md', {
  cwd: root,
  exclude: (name) => name === 'node_modules' || name.startsWith('.next') || name.startsWith('.countersign'),
});

/** Folders of this repository; a code span that begins with one of them names a file or folder. */
const tops =
  /^(?:app|bench|cli|components|demo|docs|e2e|examples|gate|guard|lib|policies|prisma|public|scripts|server|tests|\.ci)\//;

const textOf = (page: string) => readFileSync(path.join(root, page), 'utf8');
const withoutFences = (text: string) => text.replace(/^```[\s\S]*?^```/gm, '');

/** Targets of links and pictures, without fragment, resolved from the page. */
function linkedPaths(page: string): string[] {
  const text = withoutFences(textOf(page));
  const targets = [
    ...[...text.matchAll(/\]\(([^)\s]+)[^)]*\)/g)].map((match) => match[1] ?? ''),
    ...[...text.matchAll(/(?:src|srcset|href)="([^"]+)"/g)].map((match) => match[1] ?? ''),
  ];
  return targets
    .filter((target) => !/^(?:[a-z]+:|#)/i.test(target))
    .map((target) => path.join(path.dirname(page), target.replace(/#.*$/, '')));
}

/** Paths named in code spans: `lib/audit/record.ts`, `docs/guides/`. Patterns and placeholders are left out. */
function namedPaths(page: string): string[] {
  const spans = [...withoutFences(textOf(page)).matchAll(/`([^`\n]+)`/g)].map((match) => match[1] ?? '');
  return spans.filter((span) => tops.test(span) && !/[\s*<>{}…]/.test(span));
}

describe.each(pages)('%s', (page) => {
  test('links to and names only what exists', () => {
    const base = page.startsWith('guard/') ? path.join(root, 'guard') : root;
    const missing = [
      ...linkedPaths(page).filter((each) => !existsSync(path.join(root, each))),
      ...namedPaths(page).filter(
        (each) => !existsSync(path.join(root, each)) && !existsSync(path.join(base, each)),
      ),
    ];
    expect(missing).toEqual([]);
  });

  test('names only scripts there are', () => {
    const named = [...textOf(page).matchAll(/npm run (?:-s )?([a-z][a-z0-9:-]*)/g)].map(
      (match) => match[1] ?? '',
    );
    expect(named.filter((script) => !(script in manifest.scripts))).toEqual([]);
  });
});

test('the table of settings is what the schema says', () => {
  expect(readFileSync(configurationPage, 'utf8')).toBe(renderConfiguration());
});
