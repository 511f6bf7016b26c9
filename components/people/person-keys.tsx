'use client';

import { ConfirmAction } from '#components/console/confirm-action.tsx';
import { KeyList } from '#components/settings/keys-view.tsx';
import { Button } from '#components/ui/button.tsx';
import { Card } from '#components/ui/card.tsx';
import { notify } from '#components/ui/toast.tsx';
import type { PersonFacts } from '#lib/access/read-people.ts';
import type { PersonActions } from './person-actions.ts';

/** What somebody proves themselves and signs with, and the way back when they lost it. */
export function PersonKeys({
  person,
  resetKeys,
}: {
  person: PersonFacts;
  resetKeys: PersonActions['resetKeys'] | null;
}) {
  const living = person.keys.filter((key) => key.state === 'live').length;
  return (
    <Card
      title="Passkeys"
      flush
      actions={
        resetKeys &&
        living > 0 && (
          <ConfirmAction
            trigger={<Button size="sm">Reset passkeys</Button>}
            title={`Reset the passkeys of ${person.displayName}?`}
            description={`${living === 1 ? 'Their key ends' : `All ${living} keys end`} with every session, API token, open link and single sign-on. They sign in again by password or a reset link and enrol a new one, so make sure it is really them who asks: meet them, or call them.`}
            button="Reset passkeys"
            action={resetKeys}
            input={(reason) => ({ personId: person.personId, reason })}
            reason
            onDone={() => notify({ title: 'Passkeys reset' })}
          />
        )
      }
    >
      {person.keys.length === 0 ? (
        <p className="px-4 py-3 text-fg-2 text-sm">This person has no passkey.</p>
      ) : (
        <KeyList keys={person.keys} actions={null} />
      )}
    </Card>
  );
}
