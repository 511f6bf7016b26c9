import { WebhooksView } from '#components/notifications/webhooks-view.tsx';
import { hasRole } from '#lib/access/require.ts';
import { listWebhooks } from '#lib/jobs/webhooks.ts';
import { requirePage } from '../../../../page-context.ts';
import { createWebhook } from '../../actions.ts';

export const metadata = { title: 'Webhooks' };

export default async function WebhooksPage() {
  const { ctx } = await requirePage('admin', 'auditor');
  return (
    <WebhooksView
      webhooks={await listWebhooks(ctx)}
      mayEdit={hasRole(ctx.actor, 'admin')}
      create={createWebhook}
    />
  );
}
