import type { Metadata } from 'next';
import { ReviewView } from '#components/review/review-view.tsx';
import { readReview } from '#lib/approvals/read-review.ts';
import { notFoundOr } from '../../../not-found-or.ts';
import { requirePage } from '../../../page-context.ts';
import { approveRequest, beginApproval, commentRequest, rejectRequest, requestChanges } from '../actions.ts';

export const metadata: Metadata = { title: 'Review' };

export default async function ReviewRequestPage({ params }: { params: Promise<{ id: string }> }) {
  const { ctx, viewer } = await requirePage('approver', 'auditor', 'admin');
  const { id } = await params;
  return (
    <ReviewView
      key={id}
      initial={await notFoundOr(() => readReview(ctx, id))}
      canComment={viewer.roles.some((role) => role !== 'auditor')}
      actions={{
        approve: approveRequest,
        beginApproval,
        reject: rejectRequest,
        requestChanges,
        comment: commentRequest,
      }}
    />
  );
}
