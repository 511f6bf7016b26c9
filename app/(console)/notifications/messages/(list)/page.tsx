import { MessagesView } from '#components/notifications/messages-view.tsx';
import { listDeliveries, listWebhooks } from '#lib/jobs/webhooks.ts';
import { Invalid } from '#lib/platform/errors.ts';
import { requirePage } from '../../../../page-context.ts';
import { replayDelivery } from '../../actions.ts';

export const metadata = { title: 'Outgoing messages' };

const base = '/notifications/messages';

export default async function MessagesPage({
  searchParams,
}: {
  searchParams: Promise<{ cursor?: string | string[]; show?: string | string[] }>;
}) {
  const [{ ctx }, { cursor, show }] = await Promise.all([requirePage('admin', 'auditor'), searchParams]);
  const state = show === 'failed' || show === 'waiting' ? show : undefined;
  const here = state ? `${base}?show=${state}` : base;
  const at = typeof cursor === 'string' ? cursor : undefined;
  const read = (from: string | undefined) =>
    listDeliveries(ctx, { limit: 50, cursor: from, ...(state ? { state } : {}) });
  const [webhooks, page] = await Promise.all([
    listWebhooks(ctx),
    read(at).catch((error) => (error instanceof Invalid ? read(undefined) : Promise.reject(error))),
  ]);
  return (
    <MessagesView
      webhooks={webhooks.map(({ id, name, url }) => ({ id, name, url }))}
      messages={page.items.map((item) => ({
        id: item.id,
        channel: item.channel,
        destination: item.destination,
        kind: item.kind,
        title: item.title,
        state: item.state,
        attempts: item.attempts,
        createdAt: item.createdAt.toISOString(),
        lastError: item.lastError,
      }))}
      show={state ?? 'all'}
      firstHref={at ? here : null}
      nextHref={page.nextCursor && `${here}${state ? '&' : '?'}cursor=${encodeURIComponent(page.nextCursor)}`}
      mayEdit={ctx.actor.roles.includes('admin')}
      actions={{ replayDelivery }}
    />
  );
}
