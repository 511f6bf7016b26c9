import { AgentView } from '#components/agents/agent-view.tsx';
import { getAgent } from '#lib/agents/read-agents.ts';
import { readLifeline } from '#lib/agents/read-lifeline.ts';
import { listCredentials } from '#lib/credentials/read-credentials.ts';
import { listRevocations } from '#lib/revocation/list-revocations.ts';
import { notFoundOr } from '../../../not-found-or.ts';
import { requirePage } from '../../../page-context.ts';
import { askToReinstate, revokeAgent, suspendAgent } from './actions.ts';

export const metadata = { title: 'Agent' };

const shownCredentials = 25;

export default async function AgentPage({
  params,
  searchParams,
}: {
  params: Promise<{ id: string }>;
  searchParams: Promise<{ stop?: string | string[] }>;
}) {
  const { ctx } = await requirePage();
  const [{ id }, { stop }] = await Promise.all([params, searchParams]);
  const [agent, lifeline, credentials, revocations] = await notFoundOr(() =>
    Promise.all([
      getAgent(ctx, id),
      readLifeline(ctx, id),
      listCredentials(ctx, id, { limit: shownCredentials, state: 'all' }),
      listRevocations(ctx, { agentId: id, limit: 10 }),
    ]),
  );
  return (
    <AgentView
      key={stop === undefined ? 'read' : 'stop'}
      agent={agent}
      lifeline={lifeline}
      credentials={credentials.items}
      moreCredentials={credentials.nextCursor !== null}
      revocations={revocations.items}
      stopAsked={stop !== undefined}
      actions={{ suspend: suspendAgent, revoke: revokeAgent, reinstate: askToReinstate }}
    />
  );
}
