import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type AgentAction,
  type AgentState,
  agentStates,
  agentStatesBefore,
  bindingStateAt,
  type InstanceAction,
  type InstanceState,
  instanceStates,
  isAgentEnded,
  isInstanceEnded,
  nextAgentState,
  nextInstanceState,
} from './states.ts';

const agentActions: readonly AgentAction[] = ['activate', 'suspend', 'reinstate', 'revoke', 'expire'];
const instanceActions: readonly InstanceAction[] = [...agentActions, 'reject'];

describe('agents', () => {
  test('reach active only from pending by an approval or from suspended by a reinstatement', () => {
    for (const state of agentStates) {
      for (const action of agentActions) {
        const next = nextAgentState(state, action);
        if (!next.ok || next.value !== 'active') continue;
        expect([state, action]).toEqual(
          state === 'pending' ? ['pending', 'activate'] : ['suspended', 'reinstate'],
        );
      }
    }
  });

  test('stay as they ended, whatever is asked', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...agentActions), { maxLength: 30, size: 'max' }), (actions) => {
        let state: AgentState = 'pending';
        let ended: AgentState | null = null;
        for (const action of actions) {
          const next = nextAgentState(state, action);
          if (next.ok) state = next.value;
          if (ended) expect(state).toBe(ended);
          if (isAgentEnded(state)) ended = state;
        }
      }),
    );
  });

  test('can be revoked from every state that has or could get authority', () => {
    expect(agentStatesBefore('revoke')).toEqual(['pending', 'active', 'suspended']);
  });
});

describe('instances', () => {
  test('are activated only out of quarantine, and a refused one never', () => {
    for (const state of instanceStates) {
      expect(nextInstanceState(state, 'activate').ok).toBe(state === 'quarantined');
    }
    expect(isInstanceEnded('rejected')).toBe(true);
  });

  test('stay as they ended, whatever is asked', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(...instanceActions), { maxLength: 30, size: 'max' }),
        (actions) => {
          let state: InstanceState = 'quarantined';
          for (const action of actions) {
            const ended = isInstanceEnded(state);
            const next = nextInstanceState(state, action);
            if (ended) expect(next.ok).toBe(false);
            if (next.ok) state = next.value;
          }
        },
      ),
    );
  });
});

describe('bindings', () => {
  const at = (seconds: number) => new Date(Date.UTC(2026, 2, 2) + seconds * 1000);

  test('count from first issuance, so a slow approval eats nobody’s time', () => {
    const unused = { endedAt: null, firstIssuedAt: null, expiresAt: null, unusedEndsAt: at(100) };
    expect(bindingStateAt(unused, at(99))).toBe('active');
    expect(bindingStateAt(unused, at(100))).toBe('ended');
    const used = { ...unused, firstIssuedAt: at(50), expiresAt: at(250) };
    expect(bindingStateAt(used, at(249))).toBe('active');
    expect(bindingStateAt(used, at(250))).toBe('ended');
  });

  test('never come back once ended', () => {
    fc.assert(
      fc.property(fc.nat(1000), fc.nat(1000), (endedAt, later) => {
        const binding = {
          endedAt: at(endedAt),
          firstIssuedAt: at(0),
          expiresAt: at(10_000),
          unusedEndsAt: at(10_000),
        };
        expect(bindingStateAt(binding, at(endedAt + later))).toBe('ended');
      }),
    );
  });
});
