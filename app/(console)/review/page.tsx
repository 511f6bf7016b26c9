import type { Metadata } from 'next';
import { QueueView } from '#components/review/queue-view.tsx';
import { countWaiting, listQueue, queueLimit } from '#lib/approvals/read-requests.ts';
import { requirePage } from '../../page-context.ts';

export const metadata: Metadata = { title: 'Review' };

export default async function ReviewPage({ searchParams }: { searchParams: Promise<{ view?: string }> }) {
  const { ctx, viewer } = await requirePage('approver', 'auditor', 'admin');
  const given = (await searchParams).view;
  const canDecide = viewer.roles.includes('approver');
  const view = !canDecide ? 'all' : given === 'all' || given === 'decided' ? given : 'waiting';
  const items = await listQueue(ctx, view);
  return (
    <QueueView
      key={view}
      view={view}
      initial={{ items }}
      waitingCount={view === 'waiting' ? items.length : await countWaiting(ctx)}
      limit={queueLimit}
      canDecide={canDecide}
    />
  );
}
