import { FormErrorSummary } from '#components/ui/form-error-summary.tsx';
import type { ActionProblem } from './action.ts';

/** What an action's problem says, with links to the fields it names; the request id where only an operator can help. */
export function ActionProblemNote({
  problem,
  labels = {},
}: {
  problem: ActionProblem | null;
  /** Labels of fields by name, for messages that do not name their field themselves. */
  labels?: Readonly<Record<string, string>>;
}) {
  if (!problem) return null;
  const named = problem.issues.map((issue) => {
    const label = labels[issue.path];
    return { message: label ? `${label}: ${issue.message}` : issue.message, name: issue.path };
  });
  return (
    <FormErrorSummary
      errors={named.length > 0 ? named : [{ message: problem.detail }]}
      title={problem.code === 'conflict' ? 'This changed meanwhile' : undefined}
      requestId={problem.code === 'internal' ? problem.requestId : null}
    />
  );
}

/** The message for one field: an issue of the input, or a conflict that is about it. */
export function issueFor(problem: ActionProblem | null, path: string): string | null {
  return (
    problem?.issues.find((issue) => issue.path === path)?.message ??
    (problem?.facts.field === path ? problem.detail : null)
  );
}
