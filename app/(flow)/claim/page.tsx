import { redirect } from 'next/navigation';
import { type ClaimableServer, ClaimView } from '#components/claim/claim-view.tsx';
import { ClaimForbidden, LinkOver } from '#components/claim/link-over.tsx';
import { StandingView } from '#components/claim/standing-view.tsx';
import { listCatalogue } from '#lib/catalogue/read-catalogue.ts';
import { DomainError } from '#lib/platform/errors.ts';
import type { OpenedHandle } from '#lib/registration/open-handle.ts';
import { claimableStandings } from '#lib/registration/standing.ts';
import { callFlowVerb } from '../../flow-verb.ts';
import { type PageCtx, requireSignedIn } from '../../page-context.ts';
import { continueApproved, joinWaiting, linkInstance, previewRequest, submitClaim } from './actions.ts';

export const metadata = { title: 'Connect a client' };

type Props = { searchParams: Promise<Record<string, string | string[] | undefined>> };

/** Where the authorization endpoint sends the browser: who asks, and where this person stands with it. */
export default async function ClaimPage({ searchParams }: Props) {
  const { ctx } = await requireSignedIn();
  const query = await searchParams;
  const handle = typeof query.handle === 'string' ? query.handle : '';
  const opened = await open(handle);
  if (opened instanceof DomainError) return <LinkOver detail={opened.message} />;
  if (opened.transactionId) redirect(`/waiting/${opened.transactionId}`);
  const asksAgain = query.again === '1' && claimableStandings.has(opened.standing);
  const isFirstTime = opened.standing === 'unclaimed' && !opened.similar;
  if (!asksAgain && !isFirstTime) {
    return (
      <StandingView
        handle={handle}
        opened={opened}
        actions={{ continueApproved, joinWaiting, linkInstance }}
        againHref={`/claim?${new URLSearchParams({ handle, again: '1' })}`}
      />
    );
  }
  if (!opened.mayClaim) return <ClaimForbidden opened={opened} />;
  return (
    <ClaimView
      handle={handle}
      opened={opened}
      servers={await serversFor(ctx, opened)}
      actions={{
        submit: submitClaim.bind(null, null),
        preview: previewRequest.bind(null, null),
      }}
    />
  );
}

async function open(handle: string): Promise<OpenedHandle | DomainError> {
  try {
    return await callFlowVerb('registration.openHandle', { handle });
  } catch (error) {
    // Too old, used, altered, or its client is gone: each says so in its own words.
    if (error instanceof DomainError && ['invalid', 'conflict', 'not_found'].includes(error.code))
      return error;
    throw error;
  }
}

/** The server this sign-in is for with its tools, or every server when the client named none. */
async function serversFor(ctx: PageCtx, opened: OpenedHandle): Promise<ClaimableServer[]> {
  const servers = await listCatalogue(ctx);
  return servers
    .filter((server) => !opened.server || server.id === opened.server.id)
    .map((server) => ({
      id: server.id,
      name: server.name,
      resource: server.resource,
      tools: server.tools
        .filter((tool) => !tool.removedAt)
        .map((tool) => ({
          toolId: tool.toolId,
          name: tool.name,
          title: tool.title,
          description: tool.description,
          class: tool.class,
          risk: tool.risk,
          isConfirmed: tool.confirmedAt !== null,
        })),
    }));
}
