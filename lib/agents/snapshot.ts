import { z } from 'zod';
import { canonicalJson, digestOf } from '#lib/platform/canonical-json.ts';
import { err, ok, type Result } from '#lib/platform/result.ts';
import { dataClasses } from './purpose.ts';

/** One condition on one argument: RFC 6901 pointer into the call's arguments, operator, value. */
export const constraintSchema = z.strictObject({
  pointer: z.string().max(512),
  operator: z.enum(['equal_to', 'one_of', 'starting_with', 'below_path', 'at_most', 'at_least']),
  value: z.union([z.string().max(2000), z.int(), z.boolean(), z.array(z.string().max(2000)).max(100)]),
});
export type Constraint = z.output<typeof constraintSchema>;

export const snapshotToolSchema = z.strictObject({
  serverId: z.string(),
  server: z.string(),
  resource: z.string(),
  toolId: z.string(),
  name: z.string(),
  toolVersionId: z.string(),
  version: z.int(),
  definitionDigest: z.string(),
  class: z.enum(['read', 'write', 'destructive', 'external', 'unclassified']),
  risk: z.enum(['low', 'medium', 'high']),
  constraints: z.array(constraintSchema).max(32),
  justification: z.string(),
  toolSetVersionId: z.string().nullable(),
});
export type SnapshotTool = z.output<typeof snapshotToolSchema>;

const evidenceValue = z.union([z.string(), z.int(), z.boolean(), z.array(z.string())]);

/**
 * Every decision fact a reviewer is shown, at one moment: strings, whole numbers and booleans only, so that it has
 * exactly one canonical form. A decision names its digest; what runs later is this, never the live rows.
 */
export const snapshotSchema = z
  .strictObject({
    v: z.literal(1),
    kind: z.enum(['new', 'change', 'reinstate']),
    agent: z.strictObject({
      id: z.string(),
      name: z.string(),
      softwareIdentity: z.string(),
      softwareIdentityKind: z.string(),
      clientClass: z.string(),
      environment: z.string(),
    }),
    owner: z.strictObject({ personId: z.string(), subject: z.string(), displayName: z.string() }),
    deputy: z.strictObject({ personId: z.string(), subject: z.string(), displayName: z.string() }).nullable(),
    purpose: z.strictObject({
      task: z.string(),
      systems: z.array(z.string()),
      dataClass: z.enum(dataClasses),
      attended: z.boolean(),
      endCondition: z.string(),
      ticket: z.string().nullable(),
    }),
    lifetimeSeconds: z.int().positive(),
    tools: z.array(snapshotToolSchema),
    instances: z.array(
      z.strictObject({
        instanceId: z.string(),
        clientId: z.string(),
        kind: z.string(),
        metadataDigest: z.string(),
        redirectUris: z.array(z.string()),
        tokenEndpointAuthMethod: z.string(),
        jwksThumbprints: z.array(z.string()),
      }),
    ),
    evidence: z.array(
      z.strictObject({
        kind: z.string(),
        status: z.enum(['proved', 'observed', 'claimed', 'contradicted']),
        value: z.record(z.string(), evidenceValue),
        method: z.string(),
      }),
    ),
  })
  .meta({ id: 'Snapshot' });
export type Snapshot = z.output<typeof snapshotSchema>;

export const minLifetimeSeconds = 60;
/** A year: nothing is approved for longer in one go. */
export const maxLifetimeSeconds = 366 * 24 * 3600;

/** Lifetimes are whole seconds within bounds, whoever asks; anything else is refused before it reaches a date. */
export const lifetimeSecondsSchema = z
  .int('Use whole seconds.')
  .min(minLifetimeSeconds, 'At least a minute.')
  .max(maxLifetimeSeconds, 'At most a year.');

export function snapshotDigestOf(snapshot: Snapshot): string {
  return digestOf(snapshot);
}

/** A stored snapshot, checked. A row that does not parse was not written by us: TypeError. */
export function parseSnapshot(value: unknown): Snapshot {
  const parsed = snapshotSchema.safeParse(value);
  if (!parsed.success) throw new TypeError(`a stored snapshot is damaged: ${parsed.error.message}`);
  return parsed.data;
}

/** Tools in the one order a snapshot has: by server id, then by name, in code-point order. */
export function sortTools<Tool extends { serverId: string; name: string }>(tools: readonly Tool[]): Tool[] {
  return [...tools].sort((a, b) => compare(a.serverId, b.serverId) || compare(a.name, b.name));
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

export type NotSubset =
  | { tag: 'tool_not_asked'; index: number; name: string }
  | { tag: 'tool_repeated'; index: number; name: string }
  | { tag: 'tool_altered'; index: number; name: string }
  | { tag: 'constraint_dropped'; index: number; name: string }
  | { tag: 'lifetime_longer' }
  | { tag: 'facts_altered' };

/**
 * Whether `granted` gives nothing that was not asked: the same facts, tools among those asked with at least their
 * constraints, and no more time. Constraints only add up, so a further one narrows and a missing one widens. The
 * approver's narrowing is checked with this, and again wherever a credential is minted.
 */
export function checkSubset(granted: Snapshot, asked: Snapshot): Result<true, NotSubset> {
  if (granted.lifetimeSeconds > asked.lifetimeSeconds) return err({ tag: 'lifetime_longer' });
  if (canonicalJson(withoutGrant(granted)) !== canonicalJson(withoutGrant(asked))) {
    return err({ tag: 'facts_altered' });
  }
  const askedTools = new Map(asked.tools.map((tool) => [tool.toolId, tool]));
  const seen = new Set<string>();
  for (const [index, tool] of granted.tools.entries()) {
    const at = { index, name: tool.name };
    if (seen.has(tool.toolId)) return err({ tag: 'tool_repeated', ...at });
    seen.add(tool.toolId);
    const line = askedTools.get(tool.toolId);
    if (!line) return err({ tag: 'tool_not_asked', ...at });
    const { constraints: grantedConstraints, ...grantedLine } = tool;
    const { constraints: askedConstraints, ...askedLine } = line;
    if (canonicalJson(grantedLine) !== canonicalJson(askedLine)) return err({ tag: 'tool_altered', ...at });
    const held = new Set(grantedConstraints.map((constraint) => canonicalJson(constraint)));
    if (!askedConstraints.every((constraint) => held.has(canonicalJson(constraint)))) {
      return err({ tag: 'constraint_dropped', ...at });
    }
  }
  return ok(true);
}

export function isSubset(granted: Snapshot, asked: Snapshot): boolean {
  return checkSubset(granted, asked).ok;
}

function withoutGrant({ tools: _tools, lifetimeSeconds: _lifetime, ...facts }: Snapshot) {
  return facts;
}

export type Narrowing = {
  /** Ids of the tools that stay; absent: all. */
  keep?: readonly { toolId: string; constraints?: readonly Constraint[] | undefined }[] | undefined;
  lifetimeSeconds?: number | undefined;
};

/** The snapshot an approver derives. Constraints given are added to those asked; nothing is checked here. */
export function narrow(asked: Snapshot, { keep, lifetimeSeconds }: Narrowing): Snapshot {
  const byId = new Map(asked.tools.map((tool) => [tool.toolId, tool]));
  const tools = keep
    ? keep.flatMap(({ toolId, constraints }) => {
        const tool = byId.get(toolId);
        return tool ? [{ ...tool, constraints: union(tool.constraints, constraints ?? []) }] : [];
      })
    : asked.tools;
  return { ...asked, tools: sortTools(tools), lifetimeSeconds: lifetimeSeconds ?? asked.lifetimeSeconds };
}

function union(asked: readonly Constraint[], more: readonly Constraint[]): Constraint[] {
  const held = new Set(asked.map((constraint) => canonicalJson(constraint)));
  return [...asked, ...more.filter((constraint) => !held.has(canonicalJson(constraint)))];
}
