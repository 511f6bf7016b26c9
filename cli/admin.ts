import { issueFirstAdminLink, recoverAdmin, recoverAdminInput } from '#lib/access/invitations.ts';
import { DomainError } from '#lib/platform/errors.ts';
import { OperatorError } from '#lib/platform/operator-error.ts';
import { withHostContext } from './host-context.ts';

/** Prints a new link for the first admin; the one before ends. */
export async function adminFirst(): Promise<void> {
  const link = await withHostContext('countersign admin first', (ctx) =>
    issueFirstAdminLink(ctx).catch(explain),
  );
  console.log(`${link.url}\nWorks once, until ${link.expiresAt}.`);
}

/** The way back for an installation without a reachable admin. Whoever can run this owns the installation anyway. */
export async function adminRecover(email: string): Promise<void> {
  const input = recoverAdminInput.safeParse({ email });
  if (!input.success) throw new OperatorError(`${email} is not an e-mail address.`);
  const link = await withHostContext('countersign admin recover', (ctx) =>
    recoverAdmin(ctx, input.data).catch(explain),
  );
  console.log(`${link.url}\nWorks once, until ${link.expiresAt}. The other admins were told.`);
}

function explain(error: unknown): never {
  if (error instanceof DomainError) throw new OperatorError(error.message, { cause: error });
  throw error;
}
