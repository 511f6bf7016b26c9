import { describe, expect, test } from 'vitest';
import { type WaitingFacts, waitingState } from './waiting.ts';

const deadlineAt = new Date('2026-03-02T09:04:45.000Z');
const seconds = (after: number) => new Date(deadlineAt.getTime() + after * 1000);
const waiting: WaitingFacts = {
  status: 'waiting',
  endCause: null,
  deadlineAt,
  requestState: 'submitted',
  instanceState: 'quarantined',
  agentState: 'pending',
  now: seconds(-100),
};
const approved = { requestState: 'approved', instanceState: 'active', agentState: 'active' };

describe('what a wait has come to', () => {
  const table: [string, string, Partial<WaitingFacts>][] = [
    ['nobody decided yet', 'waiting', {}],
    ['the last second before the deadline', 'waiting', { now: seconds(-1) }],
    ['the deadline, while the client still listens', 'time is up', { now: seconds(0) }],
    ['the client has given up', 'client gone', { now: seconds(15) }],
    ['approved in time', 'ready', { ...approved, status: 'ready' }],
    ['approved in time, the browser came late', 'ready', { ...approved, status: 'ready', now: seconds(10) }],
    [
      'approved in time, the client is gone',
      'approved too late',
      { ...approved, status: 'ready', now: seconds(15) },
    ],
    ['approved after the deadline', 'approved too late', { ...approved, now: seconds(5) }],
    ['approved without this server', 'approved elsewhere', approved],
    ['rejected', 'rejected', { requestState: 'rejected', instanceState: 'rejected' }],
    ['withdrawn', 'withdrawn', { requestState: 'withdrawn', instanceState: 'rejected' }],
    ['changes asked for', 'changes requested', { requestState: 'changes requested' }],
    [
      'changes asked for, client gone',
      'client gone',
      { requestState: 'changes requested', now: seconds(20) },
    ],
    ['suspended after the approval', 'stopped', { ...approved, status: 'ready', agentState: 'suspended' }],
    [
      'ended by a stop',
      'stopped',
      { ...approved, status: 'ended', endCause: 'agent revoke', agentState: 'revoked' },
    ],
    ['gone on', 'continued', { ...approved, status: 'continued' }],
    ['told the client', 'ended', { status: 'ended', endCause: 'Request CS-1 is waiting' }],
  ];
  test.each(table)('%s: %s', (_what, state, facts) => {
    expect(waitingState({ ...waiting, ...facts })).toBe(state);
  });
});
