'use client';

import { ConfirmAction } from '#components/console/confirm-action.tsx';
import { RelativeTime } from '#components/console/relative-time.tsx';
import { UntrustedText } from '#components/console/untrusted-text.tsx';
import { Button } from '#components/ui/button.tsx';
import { Card } from '#components/ui/card.tsx';
import type { PersonFacts } from '#lib/access/read-people.ts';
import type { PersonActions } from './person-actions.ts';

/** Who this person is at the identity provider, and the way to stop that from opening this account. */
export function PersonIdentities({
  person,
  provider,
  unlinkPerson,
}: {
  person: PersonFacts;
  provider: { name: string; issuer: string } | null;
  unlinkPerson: PersonActions['unlinkPerson'] | null;
}) {
  return (
    <Card title="Single sign-on">
      <div className="grid gap-3 text-sm">
        {person.identities.map(({ issuer, subject, createdAt, lastUsedAt }) => (
          <div key={issuer} className="grid gap-0.5">
            <span className="break-all">
              <UntrustedText text={subject} /> at {issuer === provider?.issuer ? provider.name : issuer}
            </span>
            <span className="text-fg-3 text-xs">
              linked <RelativeTime at={createdAt} />, last used <RelativeTime at={lastUsedAt} />
            </span>
          </div>
        ))}
        {unlinkPerson && (
          <ConfirmAction
            size="sm"
            trigger={
              <Button size="sm" className="justify-self-start">
                Unlink
              </Button>
            }
            title={`Unlink the single sign-on of ${person.displayName}?`}
            description={
              person.hasPassword
                ? 'They sign in with their password from now on. Roles their groups gave end.'
                : 'They have no password: make them a reset link next. Roles their groups gave end.'
            }
            button="Unlink"
            action={unlinkPerson}
            input={() => ({ personId: person.personId })}
          />
        )}
      </div>
    </Card>
  );
}
