import { ClientView } from '#components/clients/client-view.tsx';
import { clientIdOf } from '#components/clients/words.ts';
import { hasRole } from '#lib/access/require.ts';
import { eventCatalogue } from '#lib/audit/catalogue.ts';
import { getClient } from '#lib/registration/read-clients.ts';
import { notFoundOr } from '../../../not-found-or.ts';
import { requirePage } from '../../../page-context.ts';
import { discardPending, endQuarantine, forgetClient } from '../actions.ts';

export const metadata = { title: 'Client' };

type Props = { params: Promise<{ id: string }> };

export default async function ClientPage({ params }: Props) {
  const { ctx } = await requirePage('owner', 'approver', 'auditor', 'admin');
  const { id } = await params;
  const client = await notFoundOr(() => getClient(ctx, clientIdOf(id)));
  const eventWords = Object.fromEntries(
    [...new Set(client.history.map((event) => event.kind))].map((kind) => [
      kind,
      Object.hasOwn(eventCatalogue, kind) ? eventCatalogue[kind as keyof typeof eventCatalogue].says : kind,
    ]),
  );
  return (
    <ClientView
      client={client}
      eventWords={eventWords}
      mayEnd={hasRole(ctx.actor, 'approver', 'admin')}
      mayForget={hasRole(ctx.actor, 'admin')}
      endQuarantine={endQuarantine}
      forgetClient={forgetClient}
      discardPending={discardPending}
    />
  );
}
