'use client';

import { useCallback, useState, useTransition } from 'react';
import type { Action, ActionProblem, ActionState } from './action.ts';
import { useStepUp } from './step-up.tsx';
import { unreachable } from './unreachable.ts';

export type RunningAction<Input, Output> = {
  /** Sends the input. `onDone` gets the output; a problem is kept in `problem` until the next try or `clear`. */
  run(input: Input, onDone?: (output: Output) => void): void;
  pending: boolean;
  problem: ActionProblem | null;
  clear(): void;
};

/**
 * Runs a server action from buttons and dialogs, with its pending state and what went wrong. Where the verb wants a fresh
 * proof of the person, it is asked for, and the same input sent again.
 */
export function useAction<Input, Output>(action: Action<Input, Output>): RunningAction<Input, Output> {
  const [problem, setProblem] = useState<ActionProblem | null>(null);
  const [pending, startTransition] = useTransition();
  const stepUp = useStepUp();
  const run = useCallback(
    (input: Input, onDone?: (output: Output) => void) => {
      setProblem(null);
      startTransition(async () => {
        try {
          let state = await action(null, input);
          if (needsStepUp(state) && (await stepUp?.())) state = await action(null, input);
          // A redirecting action answers nothing: the page changes under it.
          if (!state) return;
          if (state.ok) onDone?.(state.output);
          else setProblem(state.problem);
        } catch {
          setProblem(unreachable);
        }
      });
    },
    [action, stepUp],
  );
  return { run, pending, problem, clear: () => setProblem(null) };
}

function needsStepUp(state: ActionState<unknown> | undefined): boolean {
  return state?.ok === false && state.problem.code === 'step_up_required';
}
