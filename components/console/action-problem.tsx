import { FormErrorSummary } from '#components/ui/form-error-summary.tsx';
import type { ActionProblem } from './action.ts';

/** What an action's problem says, with links to the fields it names; the request id where only an operator can help. */
export function ActionProblemNote({ problem }: { problem: ActionProblem | null }) {
  if (!problem) return null;
  const named = problem.issues.map((issue) => ({ message: issue.message, name: issue.path }));
  return (
    <FormErrorSummary
      errors={named.length > 0 ? named : [{ message: problem.detail }]}
      title={problem.code === 'conflict' ? 'This changed meanwhile' : undefined}
      requestId={problem.code === 'internal' ? problem.requestId : null}
    />
  );
}

/** The message for one field. */
export function issueFor(problem: ActionProblem | null, path: string): string | null {
  return problem?.issues.find((issue) => issue.path === path)?.message ?? null;
}
