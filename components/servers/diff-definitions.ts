type Definition = { title: string | null; description: string; inputSchema: unknown };
export type DefinitionChange = {
  kind: 'added' | 'removed' | 'changed';
  /** Field, or JSON pointer (RFC 6901) into the input schema. */
  what: string;
  before: string | null;
  after: string | null;
};

const mostLines = 60;

/** What differs between two definitions of a tool, leaf by leaf. Pure. */
export function diffDefinitions(before: Definition, after: Definition): DefinitionChange[] {
  const old = leavesOf(before);
  const now = leavesOf(after);
  const lines: DefinitionChange[] = [];
  for (const what of new Set([...old.keys(), ...now.keys()])) {
    const from = old.get(what) ?? null;
    const to = now.get(what) ?? null;
    if (from === to) continue;
    lines.push({
      kind: from === null ? 'added' : to === null ? 'removed' : 'changed',
      what,
      before: from,
      after: to,
    });
  }
  if (lines.length === 0) {
    return [{ kind: 'changed', what: 'hints or output schema', before: null, after: null }];
  }
  return lines.slice(0, mostLines);
}

function leavesOf(definition: Definition): Map<string, string> {
  const leaves = new Map<string, string>();
  if (definition.title) leaves.set('title', definition.title);
  if (definition.description) leaves.set('description', definition.description);
  collect(leaves, 'inputSchema', definition.inputSchema, 0);
  return leaves;
}

function collect(leaves: Map<string, string>, path: string, value: unknown, depth: number): void {
  if (typeof value === 'object' && value !== null && Object.keys(value).length > 0 && depth < 16) {
    for (const [key, inner] of Object.entries(value)) {
      collect(leaves, `${path}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`, inner, depth + 1);
    }
    return;
  }
  leaves.set(path, typeof value === 'string' ? value : JSON.stringify(value));
}
