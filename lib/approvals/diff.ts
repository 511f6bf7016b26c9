import type { DataClass } from '#lib/agents/purpose.ts';
import { riskRank } from '#lib/agents/risk.ts';
import type { Constraint, Snapshot, SnapshotTool } from '#lib/agents/snapshot.ts';

export type DiffEffect = 'widens' | 'narrows' | 'neutral';
export type DiffChange = 'added' | 'removed' | 'changed';

/** One line of difference, with its direction: what a reviewer has to look at is what widens. */
export type DiffLine = {
  /** Stable name of what differs, such as `tool:tl_1` or `lifetime`. */
  key: string;
  subject: 'agent' | 'owner' | 'purpose' | 'lifetime' | 'tool' | 'client';
  label: string;
  change: DiffChange;
  before: string | null;
  after: string | null;
  effect: DiffEffect;
};

const dataClassRank: Record<DataClass, number> = { public: 0, internal: 1, confidential: 2, restricted: 3 };
/** How hard it is to use a stolen client id with this method. */
const authMethodRank: Record<string, number> = { none: 0, client_secret_basic: 1, client_secret_post: 1 };
const strongMethod = 2;

/**
 * What changed from one snapshot to another, widening lines first. `before` is what was granted last; null means
 * nothing ever was, and there is nothing to compare. Pure.
 */
export function diffSnapshots(before: Snapshot | null, after: Snapshot): DiffLine[] {
  if (!before) return [];
  const lines = [
    ...toolLines(before, after),
    ...lifetimeLine(before, after),
    ...purposeLines(before, after),
    ...clientLines(before, after),
    ...partyLines(before, after),
  ];
  const rank: Record<DiffEffect, number> = { widens: 0, neutral: 1, narrows: 2 };
  return lines
    .map((line, index) => ({ line, index }))
    .sort((a, b) => rank[a.line.effect] - rank[b.line.effect] || a.index - b.index)
    .map(({ line }) => line);
}

function toolLines(before: Snapshot, after: Snapshot): DiffLine[] {
  const lines: DiffLine[] = [];
  const old = new Map(before.tools.map((tool) => [tool.toolId, tool]));
  const labelOf = (tool: SnapshotTool) => `${tool.server} · ${tool.name}`;
  for (const tool of after.tools) {
    const known = old.get(tool.toolId);
    old.delete(tool.toolId);
    const key = `tool:${tool.toolId}`;
    const label = labelOf(tool);
    const push = (suffix: string, line: Omit<DiffLine, 'key' | 'subject' | 'label'>, word: string) =>
      lines.push({ key: `${key}${suffix}`, subject: 'tool', label: `${label}${word}`, ...line });
    if (!known) {
      push(
        '',
        { change: 'added', before: null, after: `${tool.class}, ${tool.risk} risk`, effect: 'widens' },
        '',
      );
      continue;
    }
    if (known.definitionDigest !== tool.definitionDigest) {
      // What the tool does may be anything now: it has to be read again.
      push(
        ':definition',
        {
          change: 'changed',
          before: `version ${known.version}`,
          after: `version ${tool.version}`,
          effect: 'widens',
        },
        ', definition',
      );
    }
    if (known.class !== tool.class || known.risk !== tool.risk) {
      const step = riskRank(tool.risk) - riskRank(known.risk);
      push(
        ':class',
        {
          change: 'changed',
          before: `${known.class}, ${known.risk} risk`,
          after: `${tool.class}, ${tool.risk} risk`,
          effect: step > 0 ? 'widens' : step < 0 ? 'narrows' : 'neutral',
        },
        ', class',
      );
    }
    for (const constraint of tool.constraints.filter((each) => !holds(known.constraints, each))) {
      push(
        `:constraint:${constraintKey(constraint)}`,
        { change: 'added', before: null, after: describeConstraint(constraint), effect: 'narrows' },
        ', limit',
      );
    }
    for (const constraint of known.constraints.filter((each) => !holds(tool.constraints, each))) {
      push(
        `:constraint:${constraintKey(constraint)}`,
        { change: 'removed', before: describeConstraint(constraint), after: null, effect: 'widens' },
        ', limit',
      );
    }
    if (known.justification !== tool.justification) {
      push(
        ':justification',
        {
          change: 'changed',
          before: known.justification || null,
          after: tool.justification || null,
          effect: 'neutral',
        },
        ', reason',
      );
    }
  }
  for (const tool of old.values()) {
    lines.push({
      key: `tool:${tool.toolId}`,
      subject: 'tool',
      label: labelOf(tool),
      change: 'removed',
      before: `${tool.class}, ${tool.risk} risk`,
      after: null,
      effect: 'narrows',
    });
  }
  return lines;
}

function lifetimeLine(before: Snapshot, after: Snapshot): DiffLine[] {
  if (before.lifetimeSeconds === after.lifetimeSeconds) return [];
  return [
    {
      key: 'lifetime',
      subject: 'lifetime',
      label: 'Lifetime',
      change: 'changed',
      before: describeSeconds(before.lifetimeSeconds),
      after: describeSeconds(after.lifetimeSeconds),
      effect: after.lifetimeSeconds > before.lifetimeSeconds ? 'widens' : 'narrows',
    },
  ];
}

function purposeLines(before: Snapshot, after: Snapshot): DiffLine[] {
  const [a, b] = [before.purpose, after.purpose];
  const lines: DiffLine[] = [];
  const add = (name: string, label: string, from: string | null, to: string | null, effect: DiffEffect) => {
    if (from === to) return;
    const change = from === null ? 'added' : to === null ? 'removed' : 'changed';
    lines.push({
      key: `purpose:${name}`,
      subject: 'purpose',
      label,
      change,
      before: from,
      after: to,
      effect,
    });
  };
  add('task', 'Task', a.task, b.task, 'neutral');
  const step = dataClassRank[b.dataClass] - dataClassRank[a.dataClass];
  add('dataClass', 'Data', a.dataClass, b.dataClass, step > 0 ? 'widens' : 'narrows');
  const attended = (value: boolean) => (value ? 'a person watches' : 'runs unattended');
  add(
    'attended',
    'Attendance',
    attended(a.attended),
    attended(b.attended),
    b.attended ? 'narrows' : 'widens',
  );
  for (const system of b.systems.filter((each) => !a.systems.includes(each))) {
    add(`system:${system}`, 'System', null, system, 'widens');
  }
  for (const system of a.systems.filter((each) => !b.systems.includes(each))) {
    add(`system:${system}`, 'System', system, null, 'narrows');
  }
  add('endCondition', 'Ends when', a.endCondition, b.endCondition, 'neutral');
  add('ticket', 'Ticket', a.ticket, b.ticket, 'neutral');
  return lines;
}

function clientLines(before: Snapshot, after: Snapshot): DiffLine[] {
  const lines: DiffLine[] = [];
  const old = new Map(before.instances.map((instance) => [instance.instanceId, instance]));
  const add = (key: string, label: string, from: string | null, to: string | null, effect: DiffEffect) =>
    lines.push({
      key: `client:${key}`,
      subject: 'client',
      label,
      change: from === null ? 'added' : to === null ? 'removed' : 'changed',
      before: from,
      after: to,
      effect,
    });
  for (const instance of after.instances) {
    const known = old.get(instance.instanceId);
    old.delete(instance.instanceId);
    if (!known) {
      add(instance.instanceId, 'Client', null, instance.clientId, 'widens');
      continue;
    }
    const lists = [
      ['redirect', 'Redirect URI', known.redirectUris, instance.redirectUris],
      ['key', 'Key', known.jwksThumbprints, instance.jwksThumbprints],
    ] as const;
    for (const [name, label, from, to] of lists) {
      for (const value of to.filter((each) => !from.includes(each))) {
        add(`${instance.instanceId}:${name}:${value}`, label, null, value, 'widens');
      }
      for (const value of from.filter((each) => !to.includes(each))) {
        add(`${instance.instanceId}:${name}:${value}`, label, value, null, 'narrows');
      }
    }
    if (known.tokenEndpointAuthMethod !== instance.tokenEndpointAuthMethod) {
      const rank = (method: string) => authMethodRank[method] ?? strongMethod;
      const step = rank(instance.tokenEndpointAuthMethod) - rank(known.tokenEndpointAuthMethod);
      add(
        `${instance.instanceId}:auth`,
        'Authentication',
        known.tokenEndpointAuthMethod,
        instance.tokenEndpointAuthMethod,
        step < 0 ? 'widens' : step > 0 ? 'narrows' : 'neutral',
      );
    }
    if (
      known.metadataDigest !== instance.metadataDigest &&
      !lines.some((line) => line.key.startsWith(`client:${instance.instanceId}`))
    ) {
      add(
        `${instance.instanceId}:metadata`,
        'Other metadata',
        known.metadataDigest,
        instance.metadataDigest,
        'neutral',
      );
    }
  }
  for (const instance of old.values()) add(instance.instanceId, 'Client', instance.clientId, null, 'narrows');
  // A new name gives no tool, and is what people will take the client for: it has to be looked at like more rights.
  const [was, is] = [selfGivenNames(before), selfGivenNames(after)];
  if (was !== is) add('name', 'Calls itself', was, is, is === null ? 'neutral' : 'widens');
  return lines;
}

/** What the clients of a snapshot call themselves; null when they say nothing. */
function selfGivenNames({ evidence }: Snapshot): string | null {
  const names = evidence.flatMap(({ kind, value }) =>
    kind === 'client name' ? [String(value.name ?? '')] : [],
  );
  return names.length > 0 ? [...new Set(names)].sort().join(', ') : null;
}

function partyLines(before: Snapshot, after: Snapshot): DiffLine[] {
  const lines: DiffLine[] = [];
  const add = (
    key: string,
    subject: 'agent' | 'owner',
    label: string,
    from: string | null,
    to: string | null,
    effect: DiffEffect,
  ) => {
    if (from === to) return;
    const change = from === null ? 'added' : to === null ? 'removed' : 'changed';
    lines.push({ key, subject, label, change, before: from, after: to, effect });
  };
  add('agent:name', 'agent', 'Name', before.agent.name, after.agent.name, 'neutral');
  add('agent:class', 'agent', 'Client class', before.agent.clientClass, after.agent.clientClass, 'neutral');
  add('owner', 'owner', 'Owner', before.owner.displayName, after.owner.displayName, 'neutral');
  add(
    'deputy',
    'owner',
    'Deputy',
    before.deputy?.displayName ?? null,
    after.deputy?.displayName ?? null,
    'neutral',
  );
  return lines;
}

function holds(constraints: readonly Constraint[], wanted: Constraint): boolean {
  return constraints.some((constraint) => constraintKey(constraint) === constraintKey(wanted));
}

/** One text for one constraint, whatever order its members were written in. */
export function constraintKey({ pointer, operator, value }: Constraint): string {
  return JSON.stringify([pointer, operator, value]);
}

const operatorWords: Record<Constraint['operator'], string> = {
  equal_to: 'is',
  one_of: 'is one of',
  starting_with: 'starts with',
  below_path: 'lies below',
  at_most: 'is at most',
  at_least: 'is at least',
};

/** A constraint in words: `path lies below /srv/notes`. */
export function describeConstraint({ pointer, operator, value }: Constraint): string {
  const name =
    pointer === '' ? 'the arguments' : pointer.slice(1).replaceAll('~1', '/').replaceAll('~0', '~');
  return `${name} ${operatorWords[operator]} ${Array.isArray(value) ? value.join(', ') : String(value)}`;
}

/** Seconds as people say them: the largest units that divide them, at most two. */
export function describeSeconds(seconds: number): string {
  const units = [
    ['day', 86_400],
    ['hour', 3600],
    ['minute', 60],
    ['second', 1],
  ] as const;
  const parts: string[] = [];
  let left = seconds;
  for (const [name, size] of units) {
    const count = Math.floor(left / size);
    if (count === 0 || parts.length === 2) continue;
    parts.push(`${count} ${name}${count === 1 ? '' : 's'}`);
    left -= count * size;
  }
  return parts.join(' ') || '0 seconds';
}
