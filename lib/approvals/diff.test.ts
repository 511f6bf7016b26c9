import { describe, expect, test } from 'vitest';
import { requiredApprovals, riskOf } from '#lib/agents/risk.ts';
import type { Snapshot } from '#lib/agents/snapshot.ts';
import { describeConstraint, describeSeconds, diffSnapshots } from './diff.ts';
import { summarize, summaryText } from './summary.ts';

const tool = (id: string, more: Partial<Snapshot['tools'][number]> = {}): Snapshot['tools'][number] => ({
  serverId: 'srv_notes',
  server: 'Notes',
  resource: 'http://127.0.0.1:4001/mcp',
  toolId: `tl_${id}`,
  name: id,
  toolVersionId: `tv_${id}`,
  version: 1,
  definitionDigest: `digest ${id}`,
  class: 'read',
  risk: 'low',
  constraints: [],
  justification: '',
  toolSetVersionId: null,
  ...more,
});

const base: Snapshot = {
  v: 1,
  kind: 'new',
  agent: {
    id: 'agt_1',
    name: 'Notes helper',
    softwareIdentity: 'fp',
    softwareIdentityKind: 'self-asserted',
    clientClass: 'interactive',
    environment: 'sandbox',
  },
  owner: { personId: 'per_olive', subject: 'olive', displayName: 'Olive' },
  deputy: null,
  purpose: {
    task: 'Tidy the team notes',
    systems: ['notes'],
    dataClass: 'internal',
    attended: true,
    endCondition: 'when tidy',
    ticket: null,
  },
  lifetimeSeconds: 8 * 3600,
  tools: [tool('list_notes'), tool('write_note', { class: 'write', risk: 'medium' })],
  instances: [
    {
      instanceId: 'ins_1',
      clientId: 'client_1',
      kind: 'dynamic',
      metadataDigest: 'm1',
      redirectUris: ['http://127.0.0.1/callback'],
      tokenEndpointAuthMethod: 'none',
      jwksThumbprints: [],
    },
  ],
  evidence: [],
};

const effectsOf = (after: Snapshot) =>
  Object.fromEntries(diffSnapshots(base, after).map((line) => [line.key, line.effect]));

describe('the difference to the last approval', () => {
  test('a client that would call itself something else has to be looked at, though it gets nothing more', () => {
    const named = (name: string): Snapshot => ({
      ...base,
      evidence: [{ kind: 'client name', status: 'claimed', value: { name }, method: '' }],
    });
    const lines = diffSnapshots(named('Field notes'), named('Field notes Pro'));
    expect(lines).toMatchObject([
      { label: 'Calls itself', before: 'Field notes', after: 'Field notes Pro', effect: 'widens' },
    ]);
    expect(diffSnapshots(named('Field notes'), named('Field notes'))).toEqual([]);
  });

  test('is empty for the same snapshot, and for a first request', () => {
    expect(diffSnapshots(base, base)).toEqual([]);
    expect(diffSnapshots(null, base)).toEqual([]);
  });

  test('an added tool widens and a removed one narrows, widening lines first', () => {
    const [, writes] = base.tools;
    const after = {
      ...base,
      tools: writes ? [writes, tool('delete_note', { class: 'destructive', risk: 'high' })] : [],
    };
    expect(diffSnapshots(base, after).map((line) => [line.key, line.change, line.effect])).toEqual([
      ['tool:tl_delete_note', 'added', 'widens'],
      ['tool:tl_list_notes', 'removed', 'narrows'],
    ]);
  });

  test('a changed definition widens, whatever it says now', () => {
    const after = {
      ...base,
      tools: base.tools.map((each) => ({ ...each, definitionDigest: 'x', version: 2 })),
    };
    expect(effectsOf(after)).toEqual({
      'tool:tl_list_notes:definition': 'widens',
      'tool:tl_write_note:definition': 'widens',
    });
  });

  test.each<[string, Partial<Snapshot>, Record<string, string>]>([
    ['more time widens', { lifetimeSeconds: 9 * 3600 }, { lifetime: 'widens' }],
    ['less time narrows', { lifetimeSeconds: 3600 }, { lifetime: 'narrows' }],
    [
      'another task is wording',
      { purpose: { ...base.purpose, task: 'Other work' } },
      { 'purpose:task': 'neutral' },
    ],
    [
      'nobody watching widens',
      { purpose: { ...base.purpose, attended: false } },
      { 'purpose:attended': 'widens' },
    ],
    [
      'more sensitive data widens',
      { purpose: { ...base.purpose, dataClass: 'restricted' } },
      { 'purpose:dataClass': 'widens' },
    ],
    [
      'another system widens',
      { purpose: { ...base.purpose, systems: ['notes', 'mail'] } },
      { 'purpose:system:mail': 'widens' },
    ],
    ['another name is wording', { agent: { ...base.agent, name: 'Other' } }, { 'agent:name': 'neutral' }],
  ])('%s', (_title, change, effects) => {
    expect(effectsOf({ ...base, ...change })).toEqual(effects);
  });

  test('a redirect added to the same client widens', () => {
    const instances = base.instances.map((each) => ({
      ...each,
      metadataDigest: 'm2',
      redirectUris: [...each.redirectUris, 'https://elsewhere.example/cb'],
    }));
    expect(effectsOf({ ...base, instances })).toEqual({
      'client:ins_1:redirect:https://elsewhere.example/cb': 'widens',
    });
  });

  test('a dropped limit widens and an added one narrows', () => {
    const limit = { pointer: '/path', operator: 'below_path', value: '/srv' } as const;
    const limited = { ...base, tools: base.tools.map((each) => ({ ...each, constraints: [limit] })) };
    expect(diffSnapshots(base, limited).every((line) => line.effect === 'narrows')).toBe(true);
    expect(diffSnapshots(limited, base).every((line) => line.effect === 'widens')).toBe(true);
    expect(describeConstraint(limit)).toBe('path lies below /srv');
  });
});

describe('risk and votes', () => {
  test('a request is as risky as its riskiest tool', () => {
    expect(riskOf(base.tools)).toBe('medium');
    expect(riskOf([])).toBe('low');
  });

  test('one approval is required, two where a high-risk tool meets restricted data', () => {
    expect(requiredApprovals(base)).toBe(1);
    const restricted = { ...base.purpose, dataClass: 'restricted' as const };
    expect(requiredApprovals({ purpose: restricted, tools: base.tools })).toBe(1);
    expect(requiredApprovals({ purpose: restricted, tools: [tool('x', { risk: 'high' })] })).toBe(2);
  });
});

describe('the summary', () => {
  test('says who, what, where, how long and what is new', () => {
    expect(summaryText(summarize(base, [], false))).toBe(
      'Olive wants Notes helper to use 2 tools on Notes (one writes) for 8 hours, with a person watching, on internal data. Nothing of this agent was approved before.',
    );
    const after = { ...base, kind: 'change' as const, lifetimeSeconds: 9 * 3600 };
    expect(summaryText(summarize(after, diffSnapshots(base, after), true))).toContain(
      'Since the last approval 1 thing widens.',
    );
  });

  test.each([
    [60, '1 minute'],
    [8 * 3600, '8 hours'],
    [90_061, '1 day 1 hour'],
  ])('%i seconds read as %s', (seconds, words) => expect(describeSeconds(seconds)).toBe(words));
});
