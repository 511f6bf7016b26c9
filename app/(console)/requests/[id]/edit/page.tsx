import type { Metadata } from 'next';
import { redirect } from 'next/navigation';
import { RequestForm } from '#components/requests/request-form.tsx';
import { findDraft } from '#lib/approvals/composer-draft.ts';
import { readComposer, readDraftOfRequest } from '#lib/approvals/read-composer.ts';
import { notFoundOr } from '../../../../not-found-or.ts';
import { requirePage } from '../../../../page-context.ts';
import { formActions } from '../../form-actions.ts';

export const metadata: Metadata = { title: 'Edit request' };

const editable = ['draft', 'submitted', 'changes requested'];

export default async function EditRequestPage({ params }: { params: Promise<{ id: string }> }) {
  const { ctx } = await requirePage('owner');
  const { id } = await params;
  const read = await notFoundOr(() => readDraftOfRequest(ctx, id, 'ask again'));
  // Decided while the link was open: the request page says what happened.
  if (!editable.includes(read.state) || read.kind === 'reinstate') redirect(`/requests/${id}`);
  return (
    <RequestForm
      mode={{
        kind: 'edit',
        requestId: id,
        label: read.label,
        state: read.state,
        snapshotDigest: read.snapshotDigest,
        revisedAt: read.revisedAt,
        clientClass: read.clientClass,
        changesRequested: read.changesRequested,
      }}
      composer={await readComposer(ctx)}
      start={read.draft}
      kept={await findDraft(ctx, `edit:${id}`)}
      actions={formActions}
    />
  );
}
