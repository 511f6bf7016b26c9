import { ServerView } from '#components/servers/server-view.tsx';
import { hasRole } from '#lib/access/require.ts';
import { readServerUse } from '#lib/agents/read-server-use.ts';
import { getServer, readToolHistory } from '#lib/catalogue/read-catalogue.ts';
import { listSuccessions } from '#lib/catalogue/rename-tool.ts';
import { listResourceTokens } from '#lib/credentials/resource-tokens.ts';
import { notFoundOr } from '../../../not-found-or.ts';
import { requirePage } from '../../../page-context.ts';
import {
  classifyTools,
  createResourceToken,
  editServer,
  endResourceToken,
  probeServer,
  renameTool,
  retireServer,
  rotateResourceToken,
  syncServer,
} from '../actions.ts';

type Props = {
  params: Promise<{ id: string }>;
  searchParams: Promise<{ tool?: string | string[]; added?: string | string[] }>;
};

export const metadata = { title: 'Server' };

export default async function ServerPage({ params, searchParams }: Props) {
  const { ctx } = await requirePage();
  const [{ id }, { tool: toolId, added }] = await Promise.all([params, searchParams]);
  const [server, use, successions] = await notFoundOr(() =>
    Promise.all([getServer(ctx, id), readServerUse(ctx, id), listSuccessions(ctx, id)]),
  );
  // Where a server really is, and what it answered, is for those who run the platform.
  const seesInside = hasRole(ctx.actor, 'admin', 'auditor');
  const seesGuards = hasRole(ctx.actor, 'approver', 'auditor', 'admin');
  const tool = server.tools.find((each) => each.toolId === toolId) ?? null;
  return (
    <ServerView
      server={
        seesInside
          ? server
          : {
              ...server,
              upstreamUrl: null,
              lastSyncError: server.lastSyncError && 'An admin can see why.',
              // That somebody can walk around a guard is for those who can do something about it.
              probe: seesGuards ? server.probe : { outcome: null, detail: '', probedAt: null, since: null },
            }
      }
      hasUpstream={server.upstreamUrl !== null}
      use={use}
      successions={successions}
      history={tool ? { tool, entries: await readToolHistory(ctx, tool.toolId) } : null}
      seesInside={seesInside}
      seesGuards={seesGuards}
      mayAdmin={hasRole(ctx.actor, 'admin')}
      resourceTokens={
        seesInside
          ? {
              rows: await listResourceTokens(ctx, server.id),
              nowMs: ctx.clock.now().getTime(),
              introspectUrl: `${ctx.site.issuer}/introspect`,
            }
          : null
      }
      justAdded={added !== undefined}
      actions={{
        sync: syncServer,
        classify: classifyTools,
        edit: editServer,
        probe: probeServer,
        rename: renameTool,
        retire: retireServer,
        resourceTokens: { create: createResourceToken, end: endResourceToken, rotate: rotateResourceToken },
      }}
      key={server.id}
    />
  );
}
