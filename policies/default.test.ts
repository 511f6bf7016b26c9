import { readdirSync, readFileSync } from 'node:fs';
import { checkPolicies, compilePolicies, decide, splitPolicies } from '@countersign/guard/decide';
import { describe, expect, test } from 'vitest';
import type { AgentPrincipal, ToolInput } from '../guard/decide/types.ts';

const folder = new URL('./default/', import.meta.url);
const schema = readFileSync(new URL('./schema.cedarschema', import.meta.url), 'utf8');
const policies = splitPolicies(
  ...readdirSync(folder)
    .sort()
    .map((file) => readFileSync(new URL(file, folder), 'utf8')),
);
const compiled = compilePolicies('default', policies);

const active: AgentPrincipal = {
  id: 'agt_1',
  state: 'active',
  owner: 'prs_1',
  source: 'src_1',
  clientClass: 'interactive',
  attended: true,
  dataClass: 'internal',
};
const input = (agent: Partial<AgentPrincipal>, tool: Partial<ToolInput['tool']>, bound = true) => ({
  agent: { ...active, ...agent },
  tool: { serverId: 'srv_1', name: 'tool', class: 'read', risk: 'low', ...tool } as ToolInput['tool'],
  bound,
  at: new Date('2026-11-20T10:00:00Z'),
  arguments: {},
});

describe('the policies Countersign starts with', () => {
  test('are sound by their own schema', () => {
    expect(checkPolicies(schema, policies)).toEqual([]);
  });

  test('let anything register, into quarantine', () => {
    const client = { id: 'cli_1', clientClass: 'interactive', redirect: 'loopback' as const };
    const at = new Date();
    expect(decide(compiled, 'register', { client, sourceId: 'src_1', at }).outcome).toBe('permit');
  });

  test('send every claimed tool to an approver, the harmless ones too', () => {
    const decision = decide(compiled, 'claim', input({ state: 'pending' }, {}, false));
    expect(decision.outcome).toBe('needs_review');
    expect(decision.reasons).toEqual([
      {
        code: 'claim-needs-approver',
        text: 'An approver decides about every tool before an agent gets it.',
        remedy: 'Submit the request; whoever can decide is told.',
      },
    ]);
  });

  test.each(['issue', 'refresh', 'list', 'invoke'] as const)(
    'at %s permit what was granted and nothing else',
    (point) => {
      expect(decide(compiled, point, input({}, {})).outcome).toBe('permit');
      expect(decide(compiled, point, input({}, {}, false)).outcome).toBe('deny');
      for (const state of ['pending', 'suspended', 'revoked', 'expired'])
        expect(decide(compiled, point, input({ state }, {})).outcome).toBe('deny');
    },
  );

  test.each([
    ['an unclassified tool, granted or not', {}, { class: 'unclassified' }, 'no-unclassified-tools'],
    [
      'a destructive tool nobody watches',
      { attended: false },
      { class: 'destructive' },
      'destructive-tools-attended',
    ],
    [
      'sending confidential data outside unattended',
      { attended: false, dataClass: 'confidential' },
      { class: 'external' },
      'external-tools-sensitive-data',
    ],
  ] as const)('refuse %s, already at the claim', (_, agent, tool, policy) => {
    for (const point of ['claim', 'issue', 'refresh', 'list', 'invoke'] as const) {
      const decision = decide(compiled, point, input(agent, tool));
      expect(decision).toMatchObject({ outcome: 'deny', policies: [policy] });
      expect(decision.reasons[0]?.remedy).toBeTruthy();
    }
  });

  test('permit destructive and external tools that were granted to an attended agent', () => {
    for (const each of ['destructive', 'external', 'write'] as const)
      expect(decide(compiled, 'invoke', input({ dataClass: 'restricted' }, { class: each })).outcome).toBe(
        'permit',
      );
  });
});
