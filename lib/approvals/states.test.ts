import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  isRequestEnded,
  nextRequestState,
  type RequestAction,
  type RequestState,
  requestActions,
  requestStates,
} from './states.ts';

/** Every arrow there is, written out: a new one has to be added here on purpose. */
const arrows: readonly [RequestState, RequestAction, RequestState][] = [
  ['draft', 'edit', 'draft'],
  ['draft', 'submit', 'submitted'],
  ['draft', 'withdraw', 'withdrawn'],
  ['draft', 'expire', 'expired'],
  ['submitted', 'edit', 'submitted'],
  ['submitted', 'approve', 'approved'],
  ['submitted', 'reject', 'rejected'],
  ['submitted', 'request changes', 'changes requested'],
  ['submitted', 'withdraw', 'withdrawn'],
  ['submitted', 'expire', 'expired'],
  ['changes requested', 'edit', 'changes requested'],
  ['changes requested', 'submit', 'submitted'],
  ['changes requested', 'withdraw', 'withdrawn'],
  ['changes requested', 'expire', 'expired'],
];

describe('the life of a request', () => {
  test.each(requestStates.flatMap((state) => requestActions.map((action) => [state, action] as const)))(
    '%s: %s',
    (state, action) => {
      const expected = arrows.find(([from, by]) => from === state && by === action)?.[2];
      const result = nextRequestState({ state, revisedSinceChanges: true }, action);
      expect(result.ok ? result.value : null).toBe(expected ?? null);
    },
  );

  test('what was sent back is submitted again only with a new revision', () => {
    const facts = { state: 'changes requested', revisedSinceChanges: false } as const;
    expect(nextRequestState(facts, 'submit')).toEqual({ ok: false, error: { tag: 'same_revision' } });
  });

  const anyAction = fc.constantFrom(...requestActions);

  test('any sequence of actions approves or rejects at most once, only from submitted, and then stands still', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(anyAction, fc.boolean()), { maxLength: 40, size: 'max' }), (steps) => {
        let state: RequestState = 'draft';
        let decisions = 0;
        for (const [action, revisedSinceChanges] of steps) {
          const before: RequestState = state;
          const result = nextRequestState({ state, revisedSinceChanges }, action);
          if (!result.ok) continue;
          expect(isRequestEnded(before)).toBe(false);
          state = result.value;
          if (state === 'approved' || state === 'rejected') {
            decisions += 1;
            expect(before).toBe('submitted');
          }
        }
        expect(decisions).toBeLessThanOrEqual(1);
      }),
    );
  });

  test('every open state can be withdrawn and can expire, so nothing waits for ever', () => {
    for (const state of requestStates.filter((each) => !isRequestEnded(each))) {
      for (const action of ['withdraw', 'expire'] as const) {
        const result = nextRequestState({ state, revisedSinceChanges: true }, action);
        expect(result.ok && isRequestEnded(result.value)).toBe(true);
      }
    }
  });
});
