import { z } from 'zod';
import { requireRole } from '#lib/access/require.ts';
import { recordEvent } from '#lib/audit/record.ts';
import { addSeconds } from '#lib/platform/clock.ts';
import { randomToken, sha256 } from '#lib/platform/crypto.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { notifyChange, withTransaction } from '#lib/platform/db.ts';
import { Conflict, NotFound } from '#lib/platform/errors.ts';
import { newId } from '#lib/platform/ids.ts';

/** Recognisable wherever one leaks to. */
export const resourceTokenPrefix = 'crt_';
const daySeconds = 24 * 3600;

export const createResourceTokenInput = z.strictObject({
  serverId: z.string().max(100),
  name: z.string().trim().min(1, 'is needed').max(80),
  lifetimeDays: z.number().int().min(1).max(90).default(90),
});

/**
 * Makes the token with which an MCP server that has no guard asks about tokens presented to it (RFC 7662) and about
 * single calls (AuthZEN). It answers for that one server and nothing else, lives at most 90 days, and is shown once:
 * only its digest is stored. Only an admin.
 */
export async function createResourceToken(
  ctx: Ctx,
  input: z.output<typeof createResourceTokenInput>,
): Promise<{ id: string; token: string; expiresAt: Date }> {
  const person = requireRole(ctx, 'admin');
  const id = newId('resourceToken');
  const token = `${resourceTokenPrefix}${randomToken()}`;
  const now = ctx.clock.now();
  const expiresAt = addSeconds(now, input.lifetimeDays * daySeconds);
  await withTransaction(ctx, async (tx) => {
    const server = await tx.mcpServer.findFirst({
      where: { id: input.serverId, state: 'active' },
      select: { id: true },
    });
    if (!server) throw new NotFound();
    await tx.resourceToken.create({
      data: {
        id,
        tokenDigest: sha256(token),
        serverId: server.id,
        name: input.name,
        createdById: person.personId,
        createdAt: now,
        expiresAt,
      },
    });
    await recordEvent(tx, ctx, {
      kind: 'resource_token.create',
      subjectId: id,
      serverId: server.id,
      data: { name: input.name, expiresAt: expiresAt.toISOString() },
    });
    await notifyChange(tx, 'servers', server.id);
  });
  return { id, token, expiresAt };
}

export const endResourceTokenInput = z.strictObject({ id: z.string().max(100) });

/** Ends such a token at once. Only an admin. */
export async function endResourceToken(
  ctx: Ctx,
  input: z.output<typeof endResourceTokenInput>,
): Promise<void> {
  requireRole(ctx, 'admin');
  await withTransaction(ctx, async (tx) => {
    const token = await tx.resourceToken.findUnique({
      where: { id: input.id },
      select: { serverId: true, endedAt: true },
    });
    if (!token) throw new NotFound();
    const { count } = await tx.resourceToken.updateMany({
      where: { id: input.id, endedAt: null },
      data: { endedAt: ctx.clock.now() },
    });
    if (count === 0) throw new Conflict('This token has already ended.');
    await recordEvent(tx, ctx, { kind: 'resource_token.end', subjectId: input.id, serverId: token.serverId });
    await notifyChange(tx, 'servers', token.serverId);
  });
}

export const rotateResourceTokenInput = z.strictObject({
  id: z.string().max(100),
  /** How long the former one goes on working beside it. */
  overlapSeconds: z
    .int()
    .min(0)
    .max(7 * daySeconds)
    .default(daySeconds),
});

/**
 * Makes a successor for such a token, of the same name and server, shown once; the former one works until the overlap
 * ends, so that its holder can change over without a refused question. Never longer than it would have. Only an admin.
 */
export async function rotateResourceToken(
  ctx: Ctx,
  input: z.output<typeof rotateResourceTokenInput>,
): Promise<{ id: string; token: string; expiresAt: Date; formerEndsAt: Date }> {
  const person = requireRole(ctx, 'admin');
  const id = newId('resourceToken');
  const token = `${resourceTokenPrefix}${randomToken()}`;
  const now = ctx.clock.now();
  return withTransaction(ctx, async (tx) => {
    const former = await tx.resourceToken.findUnique({
      where: { id: input.id },
      select: { serverId: true, name: true, createdAt: true, expiresAt: true },
    });
    if (!former) throw new NotFound();
    const overlapEndsAt = addSeconds(now, input.overlapSeconds);
    const formerEndsAt = new Date(Math.min(overlapEndsAt.getTime(), former.expiresAt.getTime()));
    const { count } = await tx.resourceToken.updateMany({
      where: { id: input.id, endedAt: null, expiresAt: { gt: now }, successorId: null },
      data: { expiresAt: formerEndsAt, successorId: id },
    });
    if (count === 0) throw new Conflict('This token has ended, or has a successor already.');
    const server = await tx.mcpServer.count({ where: { id: former.serverId, state: 'active' } });
    if (server === 0) throw new Conflict('Its server is retired.');
    const lifetimeMs = former.expiresAt.getTime() - former.createdAt.getTime();
    const expiresAt = new Date(now.getTime() + lifetimeMs);
    await tx.resourceToken.create({
      data: {
        id,
        tokenDigest: sha256(token),
        serverId: former.serverId,
        name: former.name,
        createdById: person.personId,
        createdAt: now,
        expiresAt,
      },
    });
    await recordEvent(tx, ctx, {
      kind: 'resource_token.rotate',
      subjectId: id,
      serverId: former.serverId,
      data: {
        name: former.name,
        formerId: input.id,
        formerEndsAt: formerEndsAt.toISOString(),
        expiresAt: expiresAt.toISOString(),
      },
    });
    await notifyChange(tx, 'servers', former.serverId);
    return { id, token, expiresAt, formerEndsAt };
  });
}

/** A use is noted at most so often a token. */
const usedEveryMs = 60_000;

/**
 * Notes that such a token asked just now: a fact for whoever rotates it, never one a decision rests on. Nobody waits
 * for it, and if it cannot be written the next question will be.
 */
export function noteResourceTokenUse(ctx: Ctx, token: { id: string; lastUsedAt: Date | null }): void {
  const now = ctx.clock.now();
  if (token.lastUsedAt && now.getTime() - token.lastUsedAt.getTime() < usedEveryMs) return;
  ctx.db.hot
    .query({
      name: 'credentials.resource-token-used',
      text: `UPDATE resource_token SET last_used_at = $2 WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < $2)`,
      values: [token.id, now],
    })
    .catch(() => undefined);
}

export type ResourceTokenFacts = {
  id: string;
  name: string;
  createdAt: Date;
  expiresAt: Date;
  endedAt: Date | null;
  lastUsedAt: Date | null;
  createdBy: string | null;
  successorId: string | null;
};

/** A server's tokens, newest first: facts only. For admins and auditors. */
export async function listResourceTokens(ctx: Ctx, serverId: string): Promise<ResourceTokenFacts[]> {
  requireRole(ctx, 'admin', 'auditor');
  const rows = await ctx.db.prisma.resourceToken.findMany({
    where: { serverId },
    orderBy: { id: 'desc' },
    take: 200,
    select: {
      id: true,
      name: true,
      createdById: true,
      createdAt: true,
      expiresAt: true,
      endedAt: true,
      lastUsedAt: true,
      successorId: true,
    },
  });
  const people = await ctx.db.prisma.person.findMany({
    where: { id: { in: rows.flatMap((row) => row.createdById ?? []) } },
    select: { id: true, displayName: true },
  });
  const names = new Map(people.map((person) => [person.id, person.displayName]));
  return rows.map(({ createdById, ...row }) => ({
    ...row,
    createdBy: (createdById && names.get(createdById)) || null,
  }));
}

/** The server a presented token speaks for, or null. */
export async function findResourceServer(
  ctx: Ctx,
  token: string,
): Promise<{ tokenId: string; serverId: string } | null> {
  if (!token.startsWith(resourceTokenPrefix) || token.length > 100) return null;
  const row = await ctx.db.prisma.resourceToken.findFirst({
    where: { tokenDigest: sha256(token), endedAt: null, expiresAt: { gt: ctx.clock.now() } },
    select: { id: true, serverId: true, lastUsedAt: true },
  });
  if (row) noteResourceTokenUse(ctx, row);
  return row ? { tokenId: row.id, serverId: row.serverId } : null;
}
