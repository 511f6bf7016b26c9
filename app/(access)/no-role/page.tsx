import { redirect } from 'next/navigation';
import { BareShell } from '#components/console/shell.tsx';
import { Card } from '#components/ui/card.tsx';
import { LinkButton } from '#components/ui/link-button.tsx';
import { listAdminNames } from '#lib/access/read-people.ts';
import { requireSignedIn } from '../../page-context.ts';

export const metadata = { title: 'No role yet' };

/** Signed in, and nothing to do here until somebody grants a role: says who can. */
export default async function NoRolePage() {
  const { ctx, viewer } = await requireSignedIn();
  if (ctx.actor.roles.length > 0) redirect('/');
  const admins = await listAdminNames(ctx);
  return (
    <BareShell>
      <Card>
        <div className="grid gap-4">
          <div className="grid gap-1">
            <h1 className="font-semibold text-xl">You have no role yet</h1>
            <p className="text-fg-2 text-sm">
              You are signed in as {viewer.displayName} ({viewer.email}), and without a role there is nothing
              you may see or do here. Ask one of these people to grant you one:
            </p>
          </div>
          {admins.length > 0 ? (
            <ul
              aria-label="Admins"
              className="grid gap-1 rounded-md border border-line bg-sunken px-3 py-2 text-sm"
            >
              {admins.map((name) => (
                <li key={name}>{name}</li>
              ))}
            </ul>
          ) : (
            <p className="text-sm">
              No admin is left. On the host, <code className="font-mono">countersign admin recover</code>{' '}
              makes one.
            </p>
          )}
          <p className="text-fg-2 text-sm">
            Owners request and keep agents, approvers decide, auditors read the history, admins run the
            platform. A granted role works from the next page on.
          </p>
          <div className="flex flex-wrap gap-2">
            <LinkButton href="/no-role">Look again</LinkButton>
            <LinkButton href="/sign-out" variant="ghost">
              Sign out
            </LinkButton>
          </div>
        </div>
      </Card>
    </BareShell>
  );
}
