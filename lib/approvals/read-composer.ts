import { requireRole } from '#lib/access/require.ts';
import type { Purpose } from '#lib/agents/purpose.ts';
import type { Constraint } from '#lib/agents/snapshot.ts';
import { listCatalogue, listToolSets } from '#lib/catalogue/read-catalogue.ts';
import { findSuccessors } from '#lib/catalogue/rename-tool.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { Conflict, NotFound } from '#lib/platform/errors.ts';
import { isRequestOpen } from './states.ts';
import { findLastGranted, loadVisible } from './store.ts';

export type ComposerTool = {
  toolId: string;
  name: string;
  title: string | null;
  description: string;
  class: string;
  risk: string;
  isConfirmed: boolean;
};

/** What the form of a request offers to choose from. */
export type Composer = {
  servers: { id: string; name: string; resource: string; description: string; tools: ComposerTool[] }[];
  toolSets: { versionId: string; name: string; purpose: string; version: number; toolIds: string[] }[];
  /** Everybody who is here; `cannot` says why somebody cannot be the deputy, null that they can. */
  deputies: { personId: string; displayName: string; cannot: string | null }[];
  /** This installation's name in its tokens, by which the browser tells them from those of others. */
  issuer: string;
};

/** What the form starts with. */
export type ComposerDraft = {
  agentName: string;
  deputyId: string | null;
  purpose: Purpose;
  lifetimeSeconds: number;
  tools: {
    toolId: string;
    justification: string;
    constraints: Constraint[];
    toolSetVersionId: string | null;
  }[];
};

/** More people than this are not offered by name. */
const mostDeputies = 500;

export async function readComposer(ctx: Ctx): Promise<Composer> {
  const person = requireRole(ctx, 'owner');
  const servers = await listCatalogue(ctx);
  const toolSets = await listToolSets(ctx);
  const now = ctx.clock.now();
  const people = await ctx.db.prisma.person.findMany({
    where: { state: 'active' },
    select: {
      id: true,
      displayName: true,
      roles: {
        where: { role: 'owner', endedAt: null, effectiveAt: { lte: now } },
        select: { id: true },
        take: 1,
      },
    },
    orderBy: { displayName: 'asc' },
    take: mostDeputies,
  });
  return {
    servers: servers.map((server) => ({
      id: server.id,
      name: server.name,
      resource: server.resource,
      description: server.description,
      tools: server.tools
        .filter((tool) => tool.removedAt === null)
        .map((tool) => ({
          toolId: tool.toolId,
          name: tool.name,
          title: tool.title,
          description: tool.description,
          class: tool.class,
          risk: tool.risk,
          isConfirmed: tool.confirmedAt !== null,
        })),
    })),
    toolSets: toolSets.map(({ versionId, name, purpose, version, toolIds }) => ({
      versionId,
      name,
      purpose,
      version,
      toolIds,
    })),
    deputies: people.map(({ id, displayName, roles }) => ({
      personId: id,
      displayName,
      cannot:
        id === person.personId
          ? 'Yourself: a deputy is somebody else.'
          : roles.length === 0
            ? 'Does not have the role owner. An admin can grant it under People.'
            : null,
    })),
    issuer: ctx.site.issuer,
  };
}

/** The words of an earlier or open request, to edit or to ask again. Throws `NotFound` for somebody else's. */
export async function readDraftOfRequest(
  ctx: Ctx,
  requestId: string,
  use: 'edit' | 'ask again',
): Promise<{
  label: string;
  state: string;
  kind: string;
  snapshotDigest: string;
  /** When the revision was written that the draft shows. */
  revisedAt: string;
  clientClass: string;
  clientId: string | null;
  agentId: string;
  draft: ComposerDraft;
  /** What an approver asked to change. */
  changesRequested: { by: string; reason: string } | null;
}> {
  const person = requireRole(ctx, 'owner');
  const db = ctx.db.prisma;
  const request = await loadVisible(db, ctx, requestId);
  if (request.ownerId !== person.personId && request.createdById !== person.personId) throw new NotFound();
  if (use === 'edit' && !isRequestOpen(request.state)) {
    throw new Conflict(`${request.label} is ${request.state}; it cannot be edited any more.`);
  }
  const { snapshot } = request.revision;
  const asking = request.votes.find(
    (vote) => vote.revisionId === request.revision.id && vote.verdict === 'request changes',
  );
  const voter = asking
    ? await db.person.findUnique({ where: { id: asking.personId }, select: { displayName: true } })
    : null;
  return {
    label: request.label,
    state: request.state,
    kind: request.kind,
    snapshotDigest: request.revision.snapshotDigest,
    revisedAt: request.revision.createdAt.toISOString(),
    clientClass: snapshot.agent.clientClass,
    clientId: snapshot.instances[0]?.clientId ?? null,
    agentId: request.agentId,
    draft: {
      agentName: snapshot.agent.name,
      deputyId: snapshot.deputy?.personId ?? null,
      purpose: snapshot.purpose,
      lifetimeSeconds: snapshot.lifetimeSeconds,
      tools: snapshot.tools.map(({ toolId, justification, constraints, toolSetVersionId }) => ({
        toolId,
        justification,
        constraints,
        toolSetVersionId,
      })),
    },
    changesRequested: asking ? { by: voter?.displayName ?? '', reason: asking.reason } : null,
  };
}

/**
 * What an active agent has now, to ask for a change of it; or, with `fromRequestId`, what an earlier request about it
 * asked for. Throws `NotFound` for somebody else's.
 */
export async function readDraftOfAgent(
  ctx: Ctx,
  agentId: string,
  fromRequestId?: string,
): Promise<{ agentName: string; clientClass: string; state: string; draft: ComposerDraft }> {
  const person = requireRole(ctx, 'owner');
  const db = ctx.db.prisma;
  const agent = await db.agent.findFirst({
    where: { id: agentId, OR: [{ ownerId: person.personId }, { deputyId: person.personId }] },
  });
  const last = agent ? await findLastGranted(db, agent.id, '') : null;
  if (!agent || !last) throw new NotFound();
  if (fromRequestId !== undefined) {
    const { agentId: about, draft } = await readDraftOfRequest(ctx, fromRequestId, 'ask again');
    if (about !== agentId) throw new NotFound();
    return { agentName: agent.name, clientClass: agent.clientClass, state: agent.state, draft };
  }
  // A tool that goes on under another name is asked for under the new one; what it is then is reviewed anew.
  const successors = await findSuccessors(
    db,
    last.granted.tools.map((tool) => tool.toolId),
  );
  return {
    agentName: agent.name,
    clientClass: agent.clientClass,
    state: agent.state,
    draft: {
      agentName: agent.name,
      deputyId: agent.deputyId,
      purpose: last.granted.purpose,
      lifetimeSeconds: last.granted.lifetimeSeconds,
      tools: last.granted.tools.map(({ toolId, justification, constraints, toolSetVersionId }) => ({
        toolId: successors.get(toolId) ?? toolId,
        justification,
        // Limits name arguments of the definition they were made for.
        constraints: successors.has(toolId) ? [] : constraints,
        toolSetVersionId: successors.has(toolId) ? null : toolSetVersionId,
      })),
    },
  };
}
