import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type Constraint,
  checkSubset,
  isSubset,
  narrow,
  parseSnapshot,
  type Snapshot,
  type SnapshotTool,
  snapshotDigestOf,
  sortTools,
} from './snapshot.ts';

const constraint: fc.Arbitrary<Constraint> = fc.record({
  pointer: fc.constantFrom('/path', '/count', '/to'),
  operator: fc.constantFrom('equal_to', 'starting_with', 'below_path'),
  value: fc.string({ maxLength: 8 }),
});

const tools = fc
  .uniqueArray(fc.nat(30), { minLength: 1, maxLength: 8 })
  .chain((ids) =>
    fc.tuple(
      ...ids.map((id) =>
        fc.record({
          serverId: fc.constantFrom('srv_a', 'srv_b'),
          server: fc.constant('Notes'),
          resource: fc.constant('http://127.0.0.1:4000/mcp'),
          toolId: fc.constant(`tl_${id}`),
          name: fc.constant(`tool_${id}`),
          toolVersionId: fc.constant(`tv_${id}`),
          version: fc.integer({ min: 1, max: 5 }),
          definitionDigest: fc.constant(`digest_${id}`),
          class: fc.constantFrom('read', 'write', 'destructive', 'external'),
          risk: fc.constantFrom('low', 'medium', 'high'),
          constraints: fc.uniqueArray(constraint, { maxLength: 3, selector: (each) => JSON.stringify(each) }),
          justification: fc.string({ maxLength: 10 }),
          toolSetVersionId: fc.constant(null),
        }),
      ),
    ),
  )
  .map((list) => sortTools(list as SnapshotTool[]));

const snapshot: fc.Arbitrary<Snapshot> = fc.record({
  v: fc.constant(1 as const),
  kind: fc.constantFrom('new', 'change'),
  agent: fc.constant({
    id: 'agt_1',
    name: 'Notes helper',
    softwareIdentity: 'fingerprint',
    softwareIdentityKind: 'self-asserted',
    clientClass: 'interactive',
    environment: 'sandbox',
  }),
  owner: fc.constant({ personId: 'per_olive', subject: 'olive', displayName: 'Olive' }),
  deputy: fc.constant(null),
  purpose: fc.constant({
    task: 'Tidy the notes',
    systems: [],
    dataClass: 'internal' as const,
    attended: true,
    endCondition: 'when tidy',
    ticket: null,
  }),
  lifetimeSeconds: fc.integer({ min: 60, max: 86_400 }),
  tools,
  instances: fc.constant([]),
  evidence: fc.constant([]),
});

/** An asked snapshot, and a choice of tools, constraints and time to keep of it. */
const narrowing = snapshot.chain((asked) =>
  fc.record({
    asked: fc.constant(asked),
    keep: fc.subarray(asked.tools).chain((kept) =>
      fc.tuple(
        ...kept.map((tool) =>
          fc.record({
            toolId: fc.constant(tool.toolId),
            constraints: fc.array(constraint, { maxLength: 2 }),
          }),
        ),
      ),
    ),
    lifetimeSeconds: fc.integer({ min: 60, max: asked.lifetimeSeconds }),
  }),
);

describe('narrowing', () => {
  test('whatever an approver keeps of what was asked is a subset of it', () => {
    fc.assert(
      fc.property(narrowing, ({ asked, keep, lifetimeSeconds }) => {
        expect(checkSubset(narrow(asked, { keep, lifetimeSeconds }), asked)).toEqual({
          ok: true,
          value: true,
        });
      }),
    );
  });

  test('narrowing what is narrow already stays within the first request', () => {
    fc.assert(
      fc.property(narrowing, fc.nat(5), ({ asked, keep, lifetimeSeconds }, drop) => {
        const first = narrow(asked, { keep, lifetimeSeconds });
        const second = narrow(first, { keep: first.tools.slice(0, drop) });
        expect(isSubset(second, first)).toBe(true);
        expect(isSubset(second, asked)).toBe(true);
      }),
    );
  });

  test('of two snapshots that contain each other neither has more tools or time', () => {
    fc.assert(
      fc.property(narrowing, ({ asked, keep, lifetimeSeconds }) => {
        const granted = narrow(asked, { keep, lifetimeSeconds });
        if (!isSubset(asked, granted)) return;
        expect(granted.tools.map((tool) => tool.toolId)).toEqual(asked.tools.map((tool) => tool.toolId));
        expect(granted.lifetimeSeconds).toBe(asked.lifetimeSeconds);
      }),
    );
  });

  test('nothing that gives more is a subset', () => {
    fc.assert(
      fc.property(snapshot, fc.integer({ min: 1, max: 1000 }), (asked, more) => {
        const [tool] = asked.tools;
        if (!tool) return;
        const longer = { ...asked, lifetimeSeconds: asked.lifetimeSeconds + more };
        expect(checkSubset(longer, asked)).toMatchObject({ error: { tag: 'lifetime_longer' } });
        const foreign = { ...tool, toolId: 'tl_other', name: 'other' };
        expect(isSubset({ ...asked, tools: [...asked.tools, foreign] }, asked)).toBe(false);
        const redefined = { ...tool, definitionDigest: 'another' };
        expect(isSubset({ ...asked, tools: [redefined, ...asked.tools.slice(1)] }, asked)).toBe(false);
        const relabelled = { ...tool, risk: tool.risk === 'low' ? ('high' as const) : ('low' as const) };
        expect(isSubset({ ...asked, tools: [relabelled, ...asked.tools.slice(1)] }, asked)).toBe(false);
        if (tool.constraints.length > 0) {
          const looser = { ...tool, constraints: [] };
          expect(isSubset({ ...asked, tools: [looser, ...asked.tools.slice(1)] }, asked)).toBe(false);
        }
        expect(isSubset({ ...asked, tools: [...asked.tools, tool] }, asked)).toBe(false);
        const forAnother = { ...asked, owner: { ...asked.owner, subject: 'mallory' } };
        expect(checkSubset(forAnother, asked)).toMatchObject({ error: { tag: 'facts_altered' } });
      }),
    );
  });
});

describe('the digest', () => {
  test('does not depend on the order in which members were written', () => {
    fc.assert(
      fc.property(snapshot, (value) => {
        const shuffled = Object.fromEntries(Object.entries(value).reverse()) as Snapshot;
        expect(snapshotDigestOf(shuffled)).toBe(snapshotDigestOf(value));
      }),
    );
  });

  test('survives the database’s own JSON', () => {
    fc.assert(
      fc.property(snapshot, (value) => {
        expect(snapshotDigestOf(parseSnapshot(JSON.parse(JSON.stringify(value))))).toBe(
          snapshotDigestOf(value),
        );
      }),
    );
  });
});
