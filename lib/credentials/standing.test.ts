import { describe, expect, test } from 'vitest';
import { judgeStanding, type Standing } from './standing.ts';

const now = new Date('2026-03-02T09:00:00Z');
const past = new Date('2026-03-01T09:00:00Z');
const later = new Date('2026-03-03T09:00:00Z');

const live: Standing = {
  client: {
    id: 'client_1',
    metadataDigest: 'd',
    sourceId: 's',
    authMethod: 'none',
    grantTypes: [],
    jwks: null,
    secretDigest: null,
    secretExpiresAt: null,
    forgottenAt: null,
    quarantineEndsAt: past,
  },
  instance: {
    id: 'ins_1',
    state: 'active',
    quarantineEndsAt: null,
    livingCount: 1,
    approvedMetadataDigest: 'd',
  },
  agent: {
    id: 'agt_1',
    name: 'A',
    state: 'active',
    stateCause: null,
    epoch: 1,
    clientClass: 'interactive',
    expiresAt: null,
    ownerId: 'per_1',
    ownerState: 'active',
  },
  request: { id: 'req_1', number: 1, state: 'approved' },
  issuanceStopped: false,
  bindings: [],
};
type Parts = {
  client?: Partial<Standing['client']>;
  instance?: Partial<NonNullable<Standing['instance']>> | null;
  agent?: Partial<NonNullable<Standing['agent']>> | null;
  request?: Standing['request'];
  issuanceStopped?: boolean;
};
const merged = <T extends object>(base: T, part: Partial<T> | null | undefined): T | null =>
  part === null ? null : ({ ...base, ...part } as T);
const but = (parts: Parts): Standing => ({
  ...live,
  client: { ...live.client, ...parts.client },
  instance: merged(live.instance as NonNullable<Standing['instance']>, parts.instance),
  agent: merged(live.agent as NonNullable<Standing['agent']>, parts.agent),
  request: parts.request === undefined ? live.request : parts.request,
  issuanceStopped: parts.issuanceStopped ?? false,
});

describe('what a standing amounts to', () => {
  test.each<[string, Parts, string]>([
    ['everything in order', {}, 'live'],
    [
      'a change request under way changes nothing',
      { request: { id: 'r', number: 2, state: 'submitted' } },
      'live',
    ],
    [
      'a rejected change request changes nothing',
      { request: { id: 'r', number: 2, state: 'rejected' } },
      'live',
    ],
    [
      'no instance, quarantine running',
      { instance: null, agent: null, client: { quarantineEndsAt: later } },
      'pending',
    ],
    ['no instance, quarantine over', { instance: null, agent: null }, 'unclaimed'],
    [
      'claimed, not decided',
      {
        instance: { state: 'quarantined' },
        agent: { state: 'pending' },
        request: { id: 'r', number: 1, state: 'submitted' },
      },
      'pending',
    ],
    [
      'decided against',
      {
        instance: { state: 'quarantined' },
        agent: { state: 'pending' },
        request: { id: 'r', number: 1, state: 'rejected' },
      },
      'rejected',
    ],
    ['instance rejected', { instance: { state: 'rejected' } }, 'rejected'],
    [
      'instance expired before any approval',
      { instance: { state: 'expired' }, agent: { state: 'pending' } },
      'unclaimed',
    ],
    ['instance expired after it', { instance: { state: 'expired' } }, 'expired'],
    ['agent suspended', { agent: { state: 'suspended' } }, 'suspended'],
    ['instance suspended', { instance: { state: 'suspended' } }, 'suspended'],
    ['agent revoked', { agent: { state: 'revoked' } }, 'revoked'],
    [
      'revoked wins over suspended',
      { agent: { state: 'revoked' }, instance: { state: 'suspended' } },
      'revoked',
    ],
    [
      'forgotten wins over everything',
      { client: { forgottenAt: past }, agent: { state: 'revoked' } },
      'forgotten',
    ],
    ['agent past its end', { agent: { expiresAt: past } }, 'expired'],
    ['expired wins over suspended', { agent: { state: 'suspended', expiresAt: past } }, 'expired'],
    ['owner gone', { agent: { ownerState: 'deactivated' } }, 'owner-disabled'],
    ['metadata changed', { client: { metadataDigest: 'other' } }, 'changed'],
    ['linked later: no digest of its own to compare', { instance: { approvedMetadataDigest: null } }, 'live'],
    ['issuance stopped', { issuanceStopped: true }, 'issuance-stopped'],
  ])('%s', (_name, parts, kind) => {
    expect(judgeStanding(but(parts), now).kind).toBe(kind);
  });

  test('nothing but all of it in order is live', () => {
    const states = ['quarantined', 'active', 'suspended', 'revoked', 'expired', 'rejected'];
    const agentStates = ['pending', 'active', 'suspended', 'revoked', 'expired'];
    for (const instance of states) {
      for (const agent of agentStates) {
        for (const ownerState of ['active', 'deactivated']) {
          const verdict = judgeStanding(
            but({ instance: { state: instance }, agent: { state: agent, ownerState } }),
            now,
          );
          const inOrder = instance === 'active' && agent === 'active' && ownerState === 'active';
          expect([instance, agent, ownerState, verdict.kind === 'live']).toEqual([
            instance,
            agent,
            ownerState,
            inOrder,
          ]);
        }
      }
    }
  });
});
