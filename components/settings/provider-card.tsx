'use client';

import type { Action } from '#components/console/action.ts';
import { ActionProblemNote } from '#components/console/action-problem.tsx';
import { RelativeTime } from '#components/console/relative-time.tsx';
import { useStepUp } from '#components/console/step-up.tsx';
import { UntrustedText } from '#components/console/untrusted-text.tsx';
import { useAction } from '#components/console/use-action.ts';
import { Button } from '#components/ui/button.tsx';
import { buttonVariants } from '#components/ui/button-variants.ts';
import { Callout } from '#components/ui/callout.tsx';
import { Card } from '#components/ui/card.tsx';
import { notify } from '#components/ui/toast.tsx';
import type { IdentityRow } from '#lib/access/read-people.ts';

export type ProviderLink = { name: string; identity: IdentityRow | null };

const linkPath = '/api/auth/signin/oidc?purpose=link';

const problems: Record<string, string> = {
  'not-confirmed': 'Confirm that it is you first; your proof was more than five minutes old.',
  'not-fresh':
    'It did not say that you have just signed in there. Sign out there and try again; some providers never say it.',
  'somebody-else': 'Somebody signed in there whose account is not linked to yours.',
  'linked-elsewhere': 'That account belongs to somebody else here.',
  'linked-already': 'You sign in with another account there already. Unlink it first.',
  'e-mail': 'It names no verified e-mail address for you. Whoever runs it can add one.',
  'provider-refused': 'It did not sign you in. If you did not cancel it there, whoever runs it can say why.',
  'provider-expired': 'That took too long or was begun in another window. Begin again.',
  token: 'That took too long. Begin again.',
  limit: 'Too many tries from here. Wait half a minute.',
};

/** The other way in: links an account of the identity provider to this one, or says that it is linked. */
export function ProviderCard({
  provider: { name, identity },
  isOnlyWayIn,
  linked,
  problem,
  unlinkProvider,
}: {
  provider: ProviderLink;
  isOnlyWayIn: boolean;
  linked: boolean;
  problem: string | null;
  unlinkProvider: Action<Record<string, never>, void>;
}) {
  const unlink = useAction(unlinkProvider);
  const stepUp = useStepUp();
  return (
    <Card
      title={name}
      description={isOnlyWayIn ? 'How you sign in.' : 'Another way to sign in to this account.'}
    >
      <div className="grid gap-3 text-sm">
        {problem && (
          <Callout
            tone="danger"
            announce
            title={identity ? `${name} did not confirm that it is you` : `${name} was not linked`}
          >
            {(Object.hasOwn(problems, problem) && problems[problem]) ||
              'It could not be reached, or its answer did not fit. Try again in a moment.'}
          </Callout>
        )}
        {linked && identity && (
          <Callout tone="success" announce title={`${name} is linked`}>
            You can sign in with it from now on.
          </Callout>
        )}
        <ActionProblemNote problem={unlink.problem} />
        {identity ? (
          <div className="flex flex-wrap items-center justify-between gap-2">
            <span className="text-fg-2">
              <UntrustedText text={identity.subject} /> · linked <RelativeTime at={identity.createdAt} />,
              last used <RelativeTime at={identity.lastUsedAt} />
            </span>
            {!isOnlyWayIn && (
              <Button
                pending={unlink.pending}
                onClick={() => unlink.run({}, () => notify({ title: `${name} unlinked` }))}
              >
                Unlink
              </Button>
            )}
          </div>
        ) : (
          // A whole navigation: it leaves the console, and nothing of it may be fetched ahead.
          <a
            href={linkPath}
            className={buttonVariants({ className: 'justify-self-start' })}
            onClick={(event) => {
              if (!stepUp) return;
              event.preventDefault();
              stepUp().then((confirmed) => {
                if (confirmed) window.location.assign(linkPath);
              });
            }}
          >
            Sign in with {name} too
          </a>
        )}
      </div>
    </Card>
  );
}
