import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { codeOf, type ImportStatement, importsOf } from './source-text.ts';

/**
 * Holds what the folder names promise: which way imports point, that time, randomness, environment and network are
 * read in one place, and that a verb which changes something asks for permission and records an event.
 */

export type Complaint = { file: string; line: number; message: string };
/** Path relative to the repository, with forward slashes, and content. */
export type Source = { file: string; text: string };

/** The rooms of lib, lowest first. A room imports rooms of lower groups; within a group only one way. */
const roomGroups: readonly (readonly string[])[] = [
  ['oauth', 'platform'],
  ['audit', 'access'],
  ['catalogue', 'evidence', 'policy'],
  ['agents'],
  ['credentials', 'registration'],
  ['approvals', 'drift'],
  ['revocation'],
  ['search'],
  ['jobs'],
];

const rankOf = new Map(roomGroups.flatMap((group, rank) => group.map((room) => [room, rank] as const)));

type Part = 'lib' | 'gate' | 'app' | 'components' | 'guard' | 'cli' | 'server' | 'demo';

/** Which parts of the product each part may import, and which only for their types. guard stands alone, below all. */
const mayImport: Record<Part, { values: readonly string[]; types: readonly string[] }> = {
  lib: { values: ['lib', 'prisma/client', 'guard'], types: [] },
  gate: { values: ['gate', 'lib', 'guard', 'package.json'], types: [] },
  app: { values: ['app', 'components', 'lib', 'gate/session-cookie'], types: ['gate'] },
  components: { values: ['components', 'lib'], types: ['app', 'gate'] },
  guard: { values: ['guard'], types: [] },
  cli: { values: ['cli', 'lib', 'server', 'prisma', 'package.json'], types: ['gate'] },
  server: {
    values: ['server', 'lib', 'gate', 'prisma', 'guard', 'demo', 'examples', 'package.json'],
    types: [],
  },
  demo: { values: ['demo', 'lib', 'server', 'gate', 'guard', 'examples', 'prisma'], types: [] },
};

const uiPackages = /^(?:next|react|react-dom|hono|@hono\/.+|@base-ui\/.+|@tanstack\/.+|next-auth)(?:\/.*)?$/;
/** Packages a part must not know. Protocol and pages are faces; the domain must run without either. */
const forbiddenPackages: Partial<Record<Part, RegExp>> = {
  lib: uiPackages,
  gate: /^(?:next|react|react-dom|@base-ui\/.+|@tanstack\/.+|next-auth)(?:\/.*)?$/,
  guard: uiPackages,
  components: /^(?:hono|@hono\/.+|pg|graphile-worker|@prisma\/.+|node:.+)(?:\/.*)?$/,
};

type RawAccess = { what: string; pattern: RegExp; remedy: string };

const rawTime: RawAccess = {
  what: 'time',
  pattern: /\bDate\.now\s*\(|\bnew Date\s*\(\s*\)|\bperformance\.now\s*\(/g,
  remedy: 'take it from ctx.clock',
};
const rawRandomness: RawAccess = {
  what: 'randomness',
  pattern: /\bMath\.random\s*\(|\brandom(?:UUID|Bytes|Int)\s*\(|\bgetRandomValues\s*\(/g,
  remedy: 'use #lib/platform/crypto.ts or ids.ts',
};
const rawEnvironment: RawAccess = {
  what: 'the environment',
  pattern: /\bprocess\.env\b/g,
  remedy: 'use #lib/platform/env.ts',
};
const rawNetwork: RawAccess = {
  what: 'the network',
  pattern: /(?<![.\w])fetch\s*\(/g,
  remedy: 'use #lib/platform/http.ts',
};

/** What each part may not read by itself. Pages in the browser have a clock and a network of their own. */
const rawAccessIn: Record<Part, readonly RawAccess[]> = {
  lib: [rawTime, rawRandomness, rawEnvironment, rawNetwork],
  gate: [rawRandomness, rawEnvironment, rawNetwork],
  app: [rawRandomness, rawEnvironment],
  components: [rawRandomness, rawEnvironment],
  guard: [],
  cli: [rawRandomness, rawEnvironment],
  server: [rawEnvironment],
  demo: [rawEnvironment],
};

/** A verb without a permission says in its docstring why nobody needs one: `@anonymous <reason>`. */
const anonymousMark = /@anonymous\s+\S+\s+\S+/;

export function lintArrows(sources: readonly Source[]): Complaint[] {
  const files = new Map(sources.map((source) => [source.file, source]));
  const complaints: Complaint[] = [];
  for (const source of sources) {
    const part = partOf(source.file);
    if (!part) continue;
    const imports = importsOf(source.text);
    complaints.push(...importComplaints(source, part, imports));
    if (part === 'components') complaints.push(...browserComplaints(source, imports, files));
    complaints.push(...rawAccessComplaints(source, part));
  }
  complaints.push(...roomCycles(sources), ...verbComplaints(sources));
  return complaints.sort((a, b) => a.file.localeCompare(b.file) || a.line - b.line);
}

function partOf(file: string): Part | null {
  const top = file.split('/')[0] as string;
  return Object.hasOwn(mayImport, top) ? (top as Part) : null;
}

/** The path inside the repository an import names, or null for a package. */
function targetOf(file: string, specifier: string): string | null {
  if (specifier.startsWith('#')) return specifier.slice(1);
  if (specifier.startsWith('.'))
    return path.posix.normalize(path.posix.join(path.posix.dirname(file), specifier));
  return null;
}

function importComplaints(source: Source, part: Part, imports: readonly ImportStatement[]): Complaint[] {
  const complaints: Complaint[] = [];
  const { values, types } = mayImport[part];
  const complain = (line: number, message: string) => complaints.push({ file: source.file, line, message });
  for (const { specifier, typeOnly, line } of imports) {
    const target = targetOf(source.file, specifier);
    if (target === null) {
      if (forbiddenPackages[part]?.test(specifier)) complain(line, `${part} must not import ${specifier}`);
      continue;
    }
    const within = (allowed: string) =>
      target === allowed || target.startsWith(`${allowed}/`) || target === `${allowed}.ts`;
    if (!values.some(within)) {
      if (!types.some(within)) complain(line, `${part} must not import ${target}`);
      else if (!typeOnly) complain(line, `${part} may import only types of ${target} (import type)`);
    }
    if (part === 'lib' && target.startsWith('lib/')) {
      const [own, other] = [roomOf(source.file), roomOf(target)];
      if (own !== null && other !== null && own !== other) {
        const [ownRank, otherRank] = [rankOf.get(own), rankOf.get(other)];
        if (ownRank === undefined) complain(1, `lib/${own} has no place in the order of rooms`);
        else if (otherRank === undefined || otherRank > ownRank) {
          complain(line, `lib/${own} is below lib/${other} and must not import it`);
        }
      }
    }
  }
  return complaints;
}

function roomOf(file: string): string | null {
  const [top, room, rest] = file.split('/');
  return top === 'lib' && rest !== undefined ? (room as string) : null;
}

/** Two rooms of one group that import each other: each pair is reported once, at the later room's first import. */
function roomCycles(sources: readonly Source[]): Complaint[] {
  const arrows = new Map<string, { file: string; line: number }>();
  for (const source of sources) {
    const own = roomOf(source.file);
    if (own === null) continue;
    for (const { specifier, line } of importsOf(source.text)) {
      const target = targetOf(source.file, specifier);
      const other = target ? roomOf(target) : null;
      if (other !== null && other !== own && !arrows.has(`${own} ${other}`)) {
        arrows.set(`${own} ${other}`, { file: source.file, line });
      }
    }
  }
  const complaints: Complaint[] = [];
  for (const group of roomGroups) {
    for (const [index, one] of group.entries()) {
      for (const two of group.slice(index + 1)) {
        const back = arrows.get(`${two} ${one}`);
        if (arrows.has(`${one} ${two}`) && back) {
          complaints.push({
            ...back,
            message: `lib/${one} and lib/${two} import each other; keep one direction`,
          });
        }
      }
    }
  }
  return complaints;
}

/** Components are sent to browsers: what they import from lib must run there, down to its own imports. */
function browserComplaints(
  source: Source,
  imports: readonly ImportStatement[],
  files: ReadonlyMap<string, Source>,
): Complaint[] {
  const complaints: Complaint[] = [];
  for (const { specifier, typeOnly, line } of imports) {
    const target = targetOf(source.file, specifier);
    if (typeOnly || !target?.startsWith('lib/')) continue;
    const culprit = firstServerImport(target, files, new Set());
    if (culprit)
      complaints.push({ file: source.file, line, message: `${target} cannot run in a browser (${culprit})` });
  }
  return complaints;
}

function firstServerImport(
  file: string,
  files: ReadonlyMap<string, Source>,
  seen: Set<string>,
): string | null {
  if (seen.has(file)) return null;
  seen.add(file);
  const source = files.get(file);
  if (!source) return null;
  for (const { specifier, typeOnly } of importsOf(source.text)) {
    if (typeOnly) continue;
    if (/^(?:node:|pg$|@prisma\/|pino$|undici$|graphile-worker$)/.test(specifier))
      return `${file} imports ${specifier}`;
    const target = targetOf(file, specifier);
    const culprit = target ? firstServerImport(target, files, seen) : null;
    if (culprit) return culprit;
  }
  return null;
}

function rawAccessComplaints(source: Source, part: Part): Complaint[] {
  if (source.file.startsWith('lib/platform/')) return [];
  const code = codeOf(source.text, { keepStrings: false });
  return rawAccessIn[part].flatMap(({ what, pattern, remedy }) =>
    [...code.matchAll(pattern)].map((match) => ({
      file: source.file,
      line: code.slice(0, match.index).split('\n').length,
      message: `reads ${what} by itself (${match[0].trim()}…): ${remedy}`,
    })),
  );
}

type FunctionText = {
  file: string;
  line: number;
  name: string;
  exported: boolean;
  code: string;
  docstring: string;
};

/**
 * An exported function of lib that opens a transaction, itself or in a helper of its file, must ask for a permission
 * (`require…`) and record an event, itself or through any function it calls.
 */
function verbComplaints(sources: readonly Source[]): Complaint[] {
  const functions = sources
    .filter((source) => source.file.startsWith('lib/') && !source.file.startsWith('lib/platform/'))
    .flatMap(functionsOf);
  const byName = new Map<string, FunctionText[]>();
  for (const found of functions) byName.set(found.name, [...(byName.get(found.name) ?? []), found]);

  const complaints: Complaint[] = [];
  for (const verb of functions) {
    if (!verb.exported || !opensTransaction(verb, functions, new Set())) continue;
    const called = reachableNames(verb, byName);
    const at = { file: verb.file, line: verb.line };
    if (![...called].some((name) => name === 'recordEvent' || name === 'insertEvents')) {
      complaints.push({ ...at, message: `${verb.name} opens a transaction and records no event` });
    }
    if (![...called].some((name) => /^require[A-Z]/.test(name)) && !anonymousMark.test(verb.docstring)) {
      complaints.push({
        ...at,
        message: `${verb.name} opens a transaction and asks for no permission (or say why: @anonymous <reason>)`,
      });
    }
  }
  return complaints;
}

function opensTransaction(
  from: FunctionText,
  functions: readonly FunctionText[],
  seen: Set<FunctionText>,
): boolean {
  if (seen.has(from)) return false;
  seen.add(from);
  if (/\bwithTransaction\s*(?:<[^<>()]*>)?\(/.test(from.code)) return true;
  return functions.some(
    (helper) =>
      helper.file === from.file &&
      !helper.exported &&
      new RegExp(`\\b${helper.name}\\s*\\(`).test(from.code) &&
      opensTransaction(helper, functions, seen),
  );
}

function reachableNames(
  from: FunctionText,
  byName: ReadonlyMap<string, readonly FunctionText[]>,
): Set<string> {
  const names = new Set<string>();
  const open = [from];
  for (let next = open.pop(); next; next = open.pop()) {
    for (const [, name = ''] of next.code.matchAll(/\b([A-Za-z_]\w*)\s*(?:<[^<>()]*>)?\(/g)) {
      if (names.has(name)) continue;
      names.add(name);
      open.push(...(byName.get(name) ?? []));
    }
  }
  return names;
}

/** Functions declared at the left margin, with the docstring before them. */
function functionsOf(source: Source): FunctionText[] {
  const code = codeOf(source.text, { keepStrings: false });
  const lines = code.split('\n');
  const found: FunctionText[] = [];
  const head =
    /^(?:export )?(?:default )?(?:async )?function\*? (\w+)|^(?:export )?const (\w+)\s*(?::[^=]+)?= (?:async )?(?:\(|function|<)/;
  for (const [index, line] of lines.entries()) {
    const match = head.exec(line);
    if (!match) continue;
    const end = lines.findIndex(
      (text, at) => at > index && /^[})]/.test(text) && !/^\)[^;]*\{\s*$/.test(text) && !/^\}\)?:/.test(text),
    );
    found.push({
      file: source.file,
      line: index + 1,
      name: match[1] ?? match[2] ?? '',
      exported: line.startsWith('export '),
      code: lines.slice(index, end === -1 ? lines.length : end + 1).join('\n'),
      docstring: docstringBefore(source.text.split('\n'), index),
    });
  }
  return found;
}

function docstringBefore(lines: readonly string[], index: number): string {
  let start = index - 1;
  if (!/\*\/\s*$/.test(lines[start] ?? '')) return '';
  while (start > 0 && !/^\s*\/\*\*/.test(lines[start] ?? '')) start--;
  return lines.slice(start, index).join('\n');
}

async function readSources(root: string): Promise<Source[]> {
  const sources: Source[] = [];
  for (const top of Object.keys(mayImport)) {
    const entries = await readdir(path.join(root, top), { recursive: true, withFileTypes: true }).catch(
      () => [],
    );
    for (const entry of entries) {
      const isSource =
        entry.isFile() && /\.tsx?$/.test(entry.name) && !/\.(?:test|d)\.tsx?$/.test(entry.name);
      const absolute = path.join(entry.parentPath, entry.name);
      const file = path.relative(root, absolute).split(path.sep).join('/');
      if (isSource && !/(?:^|\/)(?:node_modules|testing|dist|testdata)\//.test(file)) {
        sources.push({ file, text: await readFile(absolute, 'utf8') });
      }
    }
  }
  return sources;
}

if (import.meta.main) {
  const complaints = lintArrows(await readSources(path.dirname(import.meta.dirname)));
  for (const { file, line, message } of complaints) console.log(`${file}:${line} ${message}`);
  console.log(
    complaints.length === 0
      ? 'imports and verbs keep their promises'
      : `${complaints.length} broken promises`,
  );
  process.exit(complaints.length === 0 ? 0 : 1);
}
