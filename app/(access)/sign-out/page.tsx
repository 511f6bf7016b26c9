import { BareShell } from '#components/console/shell.tsx';
import { SubmitButton } from '#components/ui/button.tsx';
import { Card } from '#components/ui/card.tsx';
import { LinkButton } from '#components/ui/link-button.tsx';
import { requireSignedIn } from '../../page-context.ts';
import { signOut } from './actions.ts';

export const metadata = { title: 'Sign out' };

/** Asks first: following a link must not end anything. */
export default async function SignOutPage() {
  const { viewer } = await requireSignedIn();
  return (
    <BareShell>
      <Card>
        <form action={signOut} className="grid gap-4">
          <div className="grid gap-1">
            <h1 className="font-semibold text-xl">Sign out?</h1>
            <p className="text-fg-2 text-sm">
              You are signed in as {viewer.displayName} ({viewer.email}). Your agents keep working.
            </p>
          </div>
          <div className="flex flex-wrap gap-2">
            <SubmitButton>Sign out</SubmitButton>
            <LinkButton href="/">Stay signed in</LinkButton>
          </div>
        </form>
      </Card>
    </BareShell>
  );
}
