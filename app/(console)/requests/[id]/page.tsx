import type { Metadata } from 'next';
import { RequestView } from '#components/requests/request-view.tsx';
import { readRequest } from '#lib/approvals/read-review.ts';
import { notFoundOr } from '../../../not-found-or.ts';
import { requirePage } from '../../../page-context.ts';
import { commentRequest, submitRequest, withdrawRequest } from '../actions.ts';

export const metadata: Metadata = { title: 'Request' };

export default async function RequestPage({ params }: { params: Promise<{ id: string }> }) {
  const { ctx, viewer } = await requirePage();
  const { id } = await params;
  return (
    <RequestView
      initial={await notFoundOr(() => readRequest(ctx, id))}
      canReview={viewer.roles.some((role) => role !== 'owner')}
      actions={{ comment: commentRequest, submit: submitRequest, withdraw: withdrawRequest }}
    />
  );
}
