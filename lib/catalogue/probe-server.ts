import { z } from 'zod';
import { requireRole, requireSystem } from '#lib/access/require.ts';
import { listAdminIds } from '#lib/access/roles.ts';
import { notify } from '#lib/audit/notify.ts';
import { recordEvent } from '#lib/audit/record.ts';
import { addSeconds } from '#lib/platform/clock.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { notifyChange, type Tx, withTransaction } from '#lib/platform/db.ts';
import { Conflict, Invalid, NotFound } from '#lib/platform/errors.ts';
import { askUpstream, type Probe, type ProbeOutcome } from './ask-upstream.ts';

export const probeServerInput = z.strictObject({ serverId: z.string().max(100) });

export type ProbeResult = Probe & { probedAt: Date };

/**
 * Asks a server at its own address, past its guard, as an anonymous client, and keeps what came of it with its age.
 * The address is the one an admin wrote into the catalogue, read here and never taken from the caller: neither a guard
 * nor an agent can have us ask anywhere. A server that answers is a critical finding: admins hear of it, and of its end.
 * Throws `Conflict` when the address changed, or another answer was stored, while the server was being asked.
 */
export async function probeServer(ctx: Ctx, input: z.output<typeof probeServerInput>): Promise<ProbeResult> {
  requireRole(ctx, 'admin');
  const server = await ctx.db.prisma.mcpServer.findUnique({ where: { id: input.serverId }, select: asked });
  if (!server) throw new NotFound();
  if (server.state !== 'active') throw new Conflict('This server is retired; nothing is asked of it.');
  if (!server.upstreamUrl)
    throw new Invalid('Its guard hosts this server over stdio: there is no address to ask past the guard.');
  const found = await askUpstream(server.upstreamUrl, ctx.site.upstreamNetworks);
  const stored = await storeProbe(ctx, server, found, 'always');
  if (!stored)
    throw new Conflict('This server was changed, or asked by somebody else, meanwhile. Look at it again.');
  return { ...found, probedAt: stored };
}

/** Seconds between two looks at one server; a finding is looked at more often, so that its end is seen soon. */
export const probeEverySeconds = 15 * 60;
const openProbeEverySeconds = 5 * 60;
/** Servers one run asks, oldest answer first, so many at a time: a run ends before the next is due. */
const mostProbesARun = 60;
const atATime = 4;

/** Asks every server whose last answer is old. Its events are those of a changed outcome only. */
export async function probeServers(ctx: Ctx): Promise<void> {
  requireSystem(ctx);
  const now = ctx.clock.now();
  const due = await ctx.db.prisma.mcpServer.findMany({
    where: {
      state: 'active',
      upstreamUrl: { not: null },
      OR: [
        { probedAt: null },
        { probedAt: { lt: addSeconds(now, -probeEverySeconds) } },
        { probeOutcome: 'answers', probedAt: { lt: addSeconds(now, -openProbeEverySeconds) } },
      ],
    },
    orderBy: { probedAt: { sort: 'asc', nulls: 'first' } },
    take: mostProbesARun,
    select: asked,
  });
  const queue = due[Symbol.iterator]();
  const work = async () => {
    for (const server of queue) {
      if (!server.upstreamUrl) continue;
      await storeProbe(
        ctx,
        server,
        await askUpstream(server.upstreamUrl, ctx.site.upstreamNetworks),
        'changed',
      );
    }
  };
  await Promise.all(Array.from({ length: atATime }, work));
}

const asked = {
  id: true,
  name: true,
  state: true,
  upstreamUrl: true,
  probeOutcome: true,
  probeSince: true,
  probedAt: true,
} as const;
type Asked = {
  id: string;
  name: string;
  upstreamUrl: string | null;
  probeOutcome: string | null;
  probeSince: Date | null;
  probedAt: Date | null;
};

/** Stores an answer if the server is still as it was when it was asked. Null when it is not. */
async function storeProbe(
  ctx: Ctx,
  server: Asked,
  found: Probe,
  record: 'always' | 'changed',
): Promise<Date | null> {
  return withTransaction(ctx, async (tx) => {
    const now = ctx.clock.now();
    const changed = server.probeOutcome !== found.outcome;
    const { count } = await tx.mcpServer.updateMany({
      where: {
        id: server.id,
        state: 'active',
        upstreamUrl: server.upstreamUrl,
        probedAt: server.probedAt,
      },
      data: {
        probeOutcome: found.outcome,
        probeDetail: found.detail.slice(0, 500),
        probedAt: now,
        probeSince: changed ? now : (server.probeSince ?? now),
      },
    });
    if (count === 0) return null;
    if (changed || record === 'always') {
      await recordEvent(tx, ctx, {
        kind: 'server.probe',
        subjectId: server.id,
        serverId: server.id,
        reason: found.detail,
        before: { outcome: server.probeOutcome },
        after: { outcome: found.outcome },
      });
    }
    if (changed) await tellAdmins(tx, ctx, server, found);
    await notifyChange(tx, 'servers', server.id);
    return now;
  });
}

/** A finding that begins, and one that ends. Other changes are no news. */
async function tellAdmins(tx: Tx, ctx: Ctx, server: Asked, found: Probe): Promise<void> {
  const opens = found.outcome === 'answers';
  if (!opens && server.probeOutcome !== ('answers' satisfies ProbeOutcome)) return;
  await notify(tx, ctx, {
    personIds: await listAdminIds(tx, ctx),
    kind: 'server.probe',
    title: opens ? `${server.name} answers without its guard` : closedTitle(server.name, found.outcome),
    body: opens
      ? 'At its own address it lists its tools to anybody who asks. Whoever reaches that address needs no approval. Have it ask for a credential, or let only its guard reach it.'
      : `${found.detail} Before, it answered anybody.`,
    href: `/servers/${server.id}`,
  });
}

function closedTitle(name: string, outcome: ProbeOutcome): string {
  if (outcome === 'refuses') return `${name} refuses callers who come past its guard`;
  if (outcome === 'unreachable') return `${name} can no longer be reached past its guard`;
  return `${name} no longer lists its tools past its guard`;
}
