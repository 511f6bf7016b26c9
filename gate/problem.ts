import { z } from 'zod';
import { isDatabaseTrouble } from '#lib/platform/database-trouble.ts';
import { DomainError, httpStatusOf, Invalid, Unavailable } from '#lib/platform/errors.ts';

/** Problem details (RFC 9457). `type` is a stable URN a program can match, `detail` a sentence for people. */
export type Problem = {
  type: string;
  title: string;
  status: number;
  detail: string;
  requestId: string;
  [extension: string]: unknown;
};

const titles: Record<DomainError['code'], string> = {
  not_found: 'Not found',
  unauthenticated: 'Not signed in',
  forbidden: 'Not allowed',
  step_up_required: 'Confirm that it is you',
  conflict: 'Already changed',
  invalid: 'Invalid input',
  limit_exceeded: 'Too many requests',
  precondition_failed: 'Changed since you looked',
  precondition_required: 'Snapshot missing',
  unavailable: 'Temporarily unavailable',
};

/** The problem for an error. Unknown errors never show their message: it goes to the log under the same request id. */
export function problemOf(error: unknown, requestId: string): Problem {
  if (error instanceof z.ZodError) return problemOf(invalidFromZod(error), requestId);
  if (isDatabaseTrouble(error)) {
    // Said of a commit whose answer was lost too.
    const text =
      'The database does not answer just now. If this was to change something, look whether it did before you try again.';
    return problemOf(new Unavailable(text), requestId);
  }
  if (!(error instanceof DomainError)) {
    return {
      type: 'urn:countersign:problem:internal',
      title: 'Something went wrong',
      status: 500,
      detail:
        'This is our fault, and whether anything was changed is not known. The request id helps an admin find the cause in the log.',
      requestId,
    };
  }
  return {
    ...error.detail,
    type: `urn:countersign:problem:${error.code}`,
    title: titles[error.code],
    status: httpStatusOf(error),
    detail: error.message,
    requestId,
  };
}

export function invalidFromZod(error: z.ZodError): Invalid {
  const issues = error.issues.map((issue) => ({ path: issue.path.join('.'), message: issue.message }));
  const first = issues[0];
  return new Invalid(
    first ? `${first.path ? `${first.path}: ` : ''}${first.message}` : 'The input is not valid.',
    {
      issues,
    },
  );
}
