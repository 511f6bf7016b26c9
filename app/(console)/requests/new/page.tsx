import type { Metadata } from 'next';
import { RequestForm } from '#components/requests/request-form.tsx';
import { findDraft } from '#lib/approvals/composer-draft.ts';
import { readComposer, readDraftOfAgent, readDraftOfRequest } from '#lib/approvals/read-composer.ts';
import { notFoundOr } from '../../../not-found-or.ts';
import { requirePage } from '../../../page-context.ts';
import { formActions } from '../form-actions.ts';

export const metadata: Metadata = { title: 'New request' };

/** `?agent=` asks for a change of an active agent, `?from=` asks again with the words of an earlier request. */
export default async function NewRequestPage({
  searchParams,
}: {
  searchParams: Promise<{ agent?: string; from?: string }>;
}) {
  const { ctx } = await requirePage('owner');
  const { agent, from } = await searchParams;
  const composer = await readComposer(ctx);
  if (agent) {
    const { draft, clientClass } = await notFoundOr(() => readDraftOfAgent(ctx, agent, from));
    return (
      <RequestForm
        mode={{ kind: 'change', agentId: agent, clientClass, fromRequestId: from ?? null }}
        composer={composer}
        start={draft}
        kept={await findDraft(ctx, from ? `again:${from}` : `change:${agent}`)}
        actions={formActions}
      />
    );
  }
  const earlier = from ? await notFoundOr(() => readDraftOfRequest(ctx, from, 'ask again')) : null;
  return (
    <RequestForm
      mode={{ kind: 'new', existingClientId: earlier?.clientId ?? null, fromRequestId: from ?? null }}
      composer={composer}
      start={earlier?.draft ?? null}
      kept={await findDraft(ctx, from ? `again:${from}` : 'new')}
      actions={formActions}
    />
  );
}
