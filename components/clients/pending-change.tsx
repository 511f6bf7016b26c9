import type { Action } from '#components/console/action.ts';
import { ConfirmAction } from '#components/console/confirm-action.tsx';
import { RelativeTime } from '#components/console/relative-time.tsx';
import { UntrustedText } from '#components/console/untrusted-text.tsx';
import { Button } from '#components/ui/button.tsx';
import { Card } from '#components/ui/card.tsx';
import { LinkButton } from '#components/ui/link-button.tsx';
import { Table, TableCell, TableHeader, TableRow } from '#components/ui/table.tsx';
import type { ClientDetail } from '#lib/registration/read-clients.ts';

export type DiscardAction = Action<{ clientId: string }, { clientId: string }>;

/** What a client asked to be from now on, beside what it was approved as, and what its owner can do about it. */
export function PendingChange({
  clientId,
  pending,
  discard,
}: {
  clientId: string;
  pending: NonNullable<ClientDetail['pending']>;
  discard: DiscardAction;
}) {
  return (
    <Card
      title="It asks to be changed"
      description="By its own registration token. Until somebody has decided, it works as it was approved."
    >
      <div className="grid gap-3">
        <Table label="What would change">
          <thead>
            <TableRow>
              <TableHeader>Member</TableHeader>
              <TableHeader>Approved</TableHeader>
              <TableHeader>Asked for</TableHeader>
            </TableRow>
          </thead>
          <tbody>
            {pending.changes.map(({ member, before, after }) => (
              <TableRow key={member}>
                <TableCell>
                  <code className="text-xs">{member}</code>
                </TableCell>
                <TableCell>{before === null ? '–' : <UntrustedText text={before} />}</TableCell>
                <TableCell>{after === null ? 'taken out' : <UntrustedText text={after} />}</TableCell>
              </TableRow>
            ))}
          </tbody>
        </Table>
        <p className="text-fg-3 text-xs">
          Asked <RelativeTime at={pending.at} />.{' '}
          {pending.isOwn
            ? 'If you did not update this program, find out who did before you ask for it.'
            : 'Its owner can ask for it with a change request, or discard it.'}
        </p>
        {pending.isOwn && (
          <div className="flex flex-wrap gap-2">
            {pending.agentId && (
              <LinkButton variant="primary" href={`/requests/new?agent=${pending.agentId}`}>
                Ask for the change
              </LinkButton>
            )}
            <ConfirmAction
              trigger={<Button>Discard…</Button>}
              title="Discard this change?"
              description="The client goes on as it was approved. It can ask again."
              button="Discard"
              action={discard}
              input={() => ({ clientId })}
            />
          </div>
        )}
      </div>
    </Card>
  );
}
