import { expect, test } from 'vitest';
import { lintArrows, type Source } from './lint-arrows.ts';
import { codeOf, importsOf } from './source-text.ts';

function messages(...sources: Source[]): string[] {
  return lintArrows(sources).map(({ file, line, message }) => `${file}:${line} ${message}`);
}

test.each([
  ['lib/oauth/x.ts', "import { a } from '#lib/audit/record.ts';", /below lib\/audit/],
  ['lib/audit/x.ts', "import { a } from '../approvals/approve.ts';", /below lib\/approvals/],
  ['lib/approvals/x.ts', "import { Hono } from 'hono';", /must not import hono/],
  ['lib/approvals/x.ts', "import { a } from '#gate/main.ts';", /lib must not import gate/],
  ['guard/x.ts', "import { a } from '../lib/platform/ids.ts';", /guard must not import lib/],
  ['guard/x.ts', "export { a } from '#lib/platform/ids.ts';", /guard must not import lib/],
  ['app/x.ts', "import { verbs } from '#gate/verbs.ts';", /only types of gate/],
  ['gate/x.ts', "const a = await import('#app/page.tsx');", /gate must not import app/],
  ['components/x.tsx', "import fs from 'node:fs';", /must not import node:fs/],
])('%s: %s is refused', (file, text, reason) => {
  expect(messages({ file, text })).toEqual([expect.stringMatching(reason)]);
});

test.each([
  ['lib/approvals/x.ts', "import { a } from '#lib/audit/record.ts';\nimport { b } from './store.ts';"],
  ['app/x.ts', "import type { Verbs } from '#gate/verbs.ts';\nimport { type Verb } from '#gate/verbs.ts';"],
  ['lib/oauth/x.ts', "// import { a } from '#gate/main.ts';\nconst text = \"import { a } from 'hono'\";"],
])('%s may: %s', (file, text) => {
  expect(messages({ file, text })).toEqual([]);
});

test('two rooms of one group import each other only one way', () => {
  const one = { file: 'lib/drift/a.ts', text: "import { b } from '#lib/approvals/b.ts';" };
  const two = { file: 'lib/approvals/b.ts', text: "import { a } from '#lib/drift/a.ts';" };
  expect(messages(one)).toEqual([]);
  expect(messages(one, two)).toEqual([expect.stringMatching(/import each other/)]);
});

test('a component may not reach the server through lib', () => {
  const component = { file: 'components/a.tsx', text: "import { f } from '#lib/agents/facts.ts';" };
  const facts = { file: 'lib/agents/facts.ts', text: "import { sha256 } from '#lib/platform/crypto.ts';" };
  const crypto = { file: 'lib/platform/crypto.ts', text: "import { createHash } from 'node:crypto';" };
  expect(messages(component, facts, crypto)).toEqual([expect.stringMatching(/cannot run in a browser/)]);
  expect(
    messages({ ...component, text: component.text.replace('import', 'import type') }, facts, crypto),
  ).toEqual([]);
});

test.each(['Date.now()', 'new Date()', 'Math.random()', 'process.env.HOME', 'fetch(url)', 'randomUUID()'])(
  '%s is read in platform only',
  (expression) => {
    const text = `export const a = () => ${expression};`;
    expect(messages({ file: 'lib/agents/a.ts', text })).toHaveLength(1);
    expect(messages({ file: 'lib/platform/a.ts', text })).toEqual([]);
    expect(
      messages({ file: 'lib/agents/a.ts', text: `// ${expression}\nconst b = '${expression}';` }),
    ).toEqual([]);
  },
);

test('new Date(value) and a method called fetch are no reading of the world', () => {
  const text = 'export const a = (row: Row) => [new Date(row.at), app.fetch(row)];';
  expect(messages({ file: 'lib/agents/a.ts', text })).toEqual([]);
});

const verb = (body: string, docstring = '') => ({
  file: 'lib/agents/stop.ts',
  text: `${docstring}\nexport async function stop(ctx: Ctx, input: { id: string }): Promise<void> {\n${body}\n}\n`,
});

test('a verb that opens a transaction asks for permission and records an event', () => {
  expect(messages(verb('  await withTransaction(ctx, async (tx) => {});'))).toHaveLength(2);
  expect(
    messages(
      verb("  requireRole(ctx, 'owner');\n  await withTransaction(ctx, (tx) => recordEvent(tx, ctx, {}));"),
    ),
  ).toEqual([]);
});

test('permission and event may lie in functions it calls', () => {
  const helper = {
    file: 'lib/audit/helper.ts',
    text: 'export async function end(tx: Tx) {\n  requireSystem(ctx);\n  await recordEvent(tx, ctx, {});\n}\n',
  };
  expect(messages(verb('  await withTransaction(ctx, (tx) => end(tx));'), helper)).toEqual([]);
});

test('a verb nobody needs a permission for says why', () => {
  const body = '  await withTransaction(ctx, (tx) => recordEvent(tx, ctx, {}));';
  expect(messages(verb(body))).toHaveLength(1);
  expect(messages(verb(body, '/**\n * @anonymous anyone may register; nothing is trusted yet\n */'))).toEqual(
    [],
  );
});

test('comments, strings, templates and regular expressions are told from code', () => {
  const text = `a(/[/"]x\\//, \`b \${c("d")} e\`, 1 / 2); // f\ng`;
  const code = codeOf(text, { keepStrings: false });
  expect(code).toHaveLength(text.length);
  expect(code.replaceAll(/\s+/g, ' ')).toBe(`a(/ /, \` \${c(" ")} \`, 1 / 2); g`);
});

test('imports of every form are found', () => {
  const text =
    "import a, { type B } from 'one';\nimport 'two';\nexport * from 'three';\nimport type C from 'four';\nimport {\n  type D,\n  type E,\n} from 'five';";
  expect(importsOf(text)).toEqual([
    { specifier: 'one', typeOnly: false, line: 1 },
    { specifier: 'two', typeOnly: false, line: 2 },
    { specifier: 'three', typeOnly: false, line: 3 },
    { specifier: 'four', typeOnly: true, line: 4 },
    { specifier: 'five', typeOnly: true, line: 5 },
  ]);
});
