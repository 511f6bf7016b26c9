import { describe, expect, test } from 'vitest';
import { claimableStandings, type StandingFacts, standingOf } from './standing.ts';

const nothing: StandingFacts = {
  instance: null,
  agent: null,
  request: null,
  inherited: null,
  binding: 'none',
  metadataChanged: false,
  quarantineEnded: false,
  heldByDisabledOwner: false,
};
const active = { instance: { state: 'active' }, agent: { state: 'active' }, binding: 'live' as const };

describe('where a person stands with a client', () => {
  const table: [string, Partial<StandingFacts>][] = [
    ['unclaimed', {}],
    ['quarantine ended', { quarantineEnded: true }],
    ['owner disabled', { heldByDisabledOwner: true }],
    ['suspended', { inherited: { state: 'suspended', requestState: 'approved' } }],
    ['rejected', { inherited: { state: 'rejected', requestState: 'rejected' } }],
    ['pending', { instance: { state: 'quarantined' }, request: { state: 'submitted' } }],
    ['changes requested', { instance: { state: 'quarantined' }, request: { state: 'changes requested' } }],
    ['rejected', { instance: { state: 'rejected' }, request: { state: 'rejected' } }],
    ['withdrawn', { instance: { state: 'rejected' }, request: { state: 'withdrawn' } }],
    ['request expired', { instance: { state: 'rejected' }, request: { state: 'expired' } }],
    ['suspended', { instance: { state: 'suspended' } }],
    ['metadata changed', { instance: { state: 'suspended' }, metadataChanged: true }],
    ['revoked', { instance: { state: 'revoked' } }],
    ['expired', { instance: { state: 'expired' } }],
    ['approved', active],
    ['expired', { ...active, binding: 'ended' }],
    ['approved elsewhere', { ...active, binding: 'none' }],
    ['metadata changed', { ...active, metadataChanged: true }],
    ['suspended', { ...active, agent: { state: 'suspended' } }],
    ['revoked', { ...active, agent: { state: 'revoked' } }],
    ['expired', { ...active, agent: { state: 'expired' } }],
    ['pending', { ...active, agent: { state: 'pending' } }],
  ];
  test.each(table)('%s', (standing, facts) => {
    expect(standingOf({ ...nothing, ...facts })).toBe(standing);
  });

  test('an own instance outweighs what other clients of the same software came to', () => {
    expect(
      standingOf({ ...nothing, ...active, inherited: { state: 'rejected', requestState: 'rejected' } }),
    ).toBe('approved');
  });

  test('no standing that is suspended, waiting or approved can be claimed anew', () => {
    for (const standing of [
      'suspended',
      'pending',
      'changes requested',
      'approved',
      'approved elsewhere',
    ] as const) {
      expect(claimableStandings.has(standing)).toBe(false);
    }
  });
});
