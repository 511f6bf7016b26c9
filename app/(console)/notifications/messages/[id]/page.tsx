import { MessageView } from '#components/notifications/message-view.tsx';
import { hasRole } from '#lib/access/require.ts';
import { readDelivery } from '#lib/jobs/webhooks.ts';
import { notFoundOr } from '../../../../not-found-or.ts';
import { requirePage } from '../../../../page-context.ts';
import { replayDelivery } from '../../actions.ts';

export const metadata = { title: 'Message' };

export default async function MessagePage({ params }: { params: Promise<{ id: string }> }) {
  const { ctx } = await requirePage('admin', 'auditor');
  const { id } = await params;
  const message = await notFoundOr(() => readDelivery(ctx, id));
  return <MessageView message={message} mayEdit={hasRole(ctx.actor, 'admin')} replay={replayDelivery} />;
}
