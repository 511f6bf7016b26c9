/**
 * The code of a TypeScript text: comments are replaced by spaces, and so is the inside of strings and templates when
 * `keepStrings` is false. Positions and line numbers stay what they were. Expressions inside `${…}` are code and stay.
 */
export function codeOf(text: string, options: { keepStrings: boolean }): string {
  const out = text.split('');
  const blank = (from: number, to: number) => {
    for (let at = from; at < to; at++) if (out[at] !== '\n') out[at] = ' ';
  };
  /** Open templates: how many braces are open inside the current `${`. */
  const templates: number[] = [];
  let at = 0;
  let lastCode = '';

  while (at < text.length) {
    const two = text.slice(at, at + 2);
    const one = text[at] as string;
    if (two === '//' || two === '/*') {
      const close = two === '//' ? text.indexOf('\n', at) : text.indexOf('*/', at + 2);
      const end = close === -1 ? text.length : two === '//' ? close : close + 2;
      blank(at, end);
      at = end;
    } else if (one === '"' || one === "'") {
      const end = endOfString(text, at, one);
      if (!options.keepStrings) blank(at + 1, end - 1);
      lastCode = one;
      at = end;
    } else if (one === '`' || (one === '}' && templates.at(-1) === 0)) {
      if (one === '}') templates.pop();
      const end = endOfTemplatePart(text, at + 1);
      if (!options.keepStrings) blank(at + 1, text.startsWith('${', end - 2) ? end - 2 : end - 1);
      if (text.startsWith('${', end - 2)) templates.push(0);
      lastCode = '`';
      at = end;
    } else if (one === '/' && startsRegExp(lastCode, text, at)) {
      const end = endOfRegExp(text, at);
      blank(at + 1, end - 1);
      lastCode = '/';
      at = end;
    } else {
      const depth = templates.at(-1);
      if (depth !== undefined && (one === '{' || one === '}')) {
        templates[templates.length - 1] = depth + (one === '{' ? 1 : -1);
      }
      if (!/\s/.test(one)) lastCode = one;
      at++;
    }
  }
  return out.join('');
}

function endOfString(text: string, start: number, quote: string): number {
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === quote || text[at] === '\n') return at + 1;
  }
  return text.length;
}

/** Position after the closing backtick, or after the `${` that interrupts the template. */
function endOfTemplatePart(text: string, start: number): number {
  for (let at = start; at < text.length; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === '`') return at + 1;
    else if (text.startsWith('${', at)) return at + 2;
  }
  return text.length;
}

/** A slash begins a regular expression where a value may begin, and divides where one has just ended. */
function startsRegExp(lastCode: string, text: string, at: number): boolean {
  if (lastCode === '' || '(,=:[!&|?{};+-*%<>~^'.includes(lastCode)) return text[at + 1] !== '>';
  const before = text.slice(Math.max(0, at - 12), at);
  return /\b(?:return|typeof|case|in|of|await|yield)\s*$/.test(before);
}

function endOfRegExp(text: string, start: number): number {
  let inClass = false;
  for (let at = start + 1; at < text.length; at++) {
    const one = text[at];
    if (one === '\\') at++;
    else if (one === '[') inClass = true;
    else if (one === ']') inClass = false;
    else if (one === '/' && !inClass) return at + 1;
    else if (one === '\n') return at;
  }
  return text.length;
}

export type ImportStatement = { specifier: string; typeOnly: boolean; line: number };

/** Every import, re-export and dynamic import of a text. `typeOnly` when it vanishes at run time. */
export function importsOf(text: string): ImportStatement[] {
  const code = codeOf(text, { keepStrings: true });
  const found: ImportStatement[] = [];
  const statement =
    /(?:^|[\n;])\s*(?:import|export)\s+(type\s+)?([^;'"`]*?\bfrom\s*)?['"]([^'"\n]+)['"]|\bimport\s*\(\s*['"]([^'"\n]+)['"]/g;
  for (const match of code.matchAll(statement)) {
    const [whole, typeWord, clause = '', named, dynamic] = match;
    const specifier = named ?? dynamic ?? '';
    const start = (match.index ?? 0) + whole.search(/\b(?:import|export)\b/);
    const names = /\{([^}]*)\}/.exec(clause)?.[1];
    const onlyTypes =
      names !== undefined &&
      /^\s*\{/.test(clause) &&
      names.trim() !== '' &&
      names
        .split(',')
        .map((name) => name.trim())
        .filter((name) => name !== '')
        .every((name) => name.startsWith('type '));
    const line = code.slice(0, start).split('\n').length;
    found.push({ specifier, typeOnly: typeWord !== undefined || onlyTypes, line });
  }
  return found;
}
