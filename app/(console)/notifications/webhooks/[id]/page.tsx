import { type DeliveryFilter, WebhookView } from '#components/notifications/webhook-view.tsx';
import { hasRole } from '#lib/access/require.ts';
import { getWebhook, listDeliveries } from '#lib/jobs/webhooks.ts';
import { Invalid } from '#lib/platform/errors.ts';
import { notFoundOr } from '../../../../not-found-or.ts';
import { requirePage } from '../../../../page-context.ts';
import {
  editWebhook,
  endWebhook,
  pauseWebhook,
  replayDeliveries,
  resumeWebhook,
  rotateWebhookSecret,
  testWebhook,
} from '../../actions.ts';

export const metadata = { title: 'Webhook' };

const filters: readonly DeliveryFilter[] = ['all', 'waiting', 'delivered', 'failed'];

type Props = {
  params: Promise<{ id: string }>;
  searchParams: Promise<{ show?: string | string[]; cursor?: string | string[] }>;
};

export default async function WebhookPage({ params, searchParams }: Props) {
  const { ctx } = await requirePage('admin', 'auditor');
  const [{ id }, { show: asked, cursor }] = await Promise.all([params, searchParams]);
  const show = filters.find((each) => each === asked) ?? 'all';
  const at = typeof cursor === 'string' ? cursor : undefined;
  const read = (from: string | undefined) =>
    listDeliveries(ctx, {
      webhookId: id,
      limit: 30,
      cursor: from,
      ...(show === 'all' ? {} : { state: show }),
    });
  const webhook = await notFoundOr(() => getWebhook(ctx, id));
  const page = await read(at).catch((error) =>
    error instanceof Invalid ? read(undefined) : Promise.reject(error),
  );
  const base = `/notifications/webhooks/${webhook.id}${show === 'all' ? '' : `?show=${show}`}`;
  return (
    <WebhookView
      webhook={webhook}
      deliveries={page.items}
      show={show}
      firstHref={at ? base : null}
      nextHref={
        page.nextCursor && `${base}${show === 'all' ? '?' : '&'}cursor=${encodeURIComponent(page.nextCursor)}`
      }
      mayEdit={hasRole(ctx.actor, 'admin')}
      actions={{
        edit: editWebhook,
        pause: pauseWebhook,
        resume: resumeWebhook,
        test: testWebhook,
        rotate: rotateWebhookSecret,
        end: endWebhook,
        replay: replayDeliveries,
      }}
      key={webhook.id}
    />
  );
}
