'use client';

import { useCallback, useState, useTransition } from 'react';
import type { Action, ActionProblem } from './action.ts';

export type RunningAction<Input, Output> = {
  /** Sends the input. `onDone` gets the output; a problem is kept in `problem` until the next try or `clear`. */
  run(input: Input, onDone?: (output: Output) => void): void;
  pending: boolean;
  problem: ActionProblem | null;
  clear(): void;
};

/** The server gave no answer at all: what happened is not known. */
export const unreachable: ActionProblem = {
  code: 'internal',
  detail:
    'The server did not answer. Nothing was changed as far as this page knows; look again before you repeat it.',
  requestId: '',
  issues: [],
  facts: {},
};

/** Runs a server action from buttons and dialogs, with its pending state and what went wrong. */
export function useAction<Input, Output>(action: Action<Input, Output>): RunningAction<Input, Output> {
  const [problem, setProblem] = useState<ActionProblem | null>(null);
  const [pending, startTransition] = useTransition();
  const run = useCallback(
    (input: Input, onDone?: (output: Output) => void) => {
      setProblem(null);
      startTransition(async () => {
        try {
          const state = await action(null, input);
          // A redirecting action answers nothing: the page changes under it.
          if (!state) return;
          if (state.ok) onDone?.(state.output);
          else setProblem(state.problem);
        } catch {
          setProblem(unreachable);
        }
      });
    },
    [action],
  );
  return { run, pending, problem, clear: () => setProblem(null) };
}
