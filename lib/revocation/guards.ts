import { calculateJwkThumbprint } from 'jose';
import { z } from 'zod';
import { signCatalogueToken, signEnrolment, verifyEnrolRequest } from '#guard/gate-side.ts';
import { catalogueTokenLifetimeSeconds, formatJoinToken, type PublicJwk } from '#guard/protocol.ts';
import { requireRole } from '#lib/access/require.ts';
import { recordEvent } from '#lib/audit/record.ts';
import { activeSigningKey, readPublishedJwks } from '#lib/credentials/signing-keys.ts';
import { addSeconds, toNumericDate } from '#lib/platform/clock.ts';
import { randomToken, sha256 } from '#lib/platform/crypto.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { notifyChange, type Prisma, withTransaction } from '#lib/platform/db.ts';
import { Conflict, Forbidden, Invalid, NotFound } from '#lib/platform/errors.ts';
import { type IdKind, newId } from '#lib/platform/ids.ts';

const joinTokenLifetimeSeconds = 15 * 60;

export const inviteGuardInput = z.strictObject({
  name: z.string().trim().min(1, 'is needed').max(80),
  serverIds: z.array(z.string()).min(1, 'Choose at least one server.').max(100),
});

/**
 * A join token for one guard and the servers named, good for fifteen minutes and one use. It is shown once; only its
 * digest is stored. It carries the feed key's thumbprint, so that the guard trusts this installation and no other.
 */
export async function inviteGuard(
  ctx: Ctx,
  input: z.output<typeof inviteGuardInput>,
): Promise<{ joinToken: string; expiresAt: string }> {
  if (ctx.actor.kind !== 'system') requireRole(ctx, 'admin');
  const secret = randomToken();
  const feedKey = await activeSigningKey(ctx, 'feed');
  const expiresAt = addSeconds(ctx.clock.now(), joinTokenLifetimeSeconds);
  await withTransaction(ctx, async (tx) => {
    const known = await tx.mcpServer.count({ where: { id: { in: input.serverIds }, state: 'active' } });
    if (known !== new Set(input.serverIds).size)
      throw new Invalid('One of these servers is not in the catalogue.');
    if (await tx.guard.findFirst({ where: { name: input.name, state: 'enrolled' } })) {
      throw new Conflict('A guard of this name is enrolled. Revoke it first, or choose another name.', {
        field: 'name',
      });
    }
    await tx.guardJoinToken.create({
      data: {
        tokenDigest: sha256(secret),
        guardName: input.name,
        serverIds: [...new Set(input.serverIds)],
        createdById: ctx.actor.kind === 'person' ? ctx.actor.personId : null,
        createdAt: ctx.clock.now(),
        expiresAt,
      },
    });
    await recordEvent(tx, ctx, {
      kind: 'guard.invite',
      subjectId: input.name,
      data: { serverIds: input.serverIds, expiresAt: expiresAt.toISOString() },
    });
  });
  return {
    joinToken: formatJoinToken({
      v: 1,
      iss: ctx.site.issuer,
      fkt: await calculateJwkThumbprint(feedKey.publicJwk, 'sha256'),
      sec: secret,
    }),
    expiresAt: expiresAt.toISOString(),
  };
}

/**
 * Enrols the guard that proves possession of its key and of an unused join token, and answers what it is signed for:
 * its id, the feed keys and its servers. One winner: the token is spent by the update that finds it unused.
 * Throws `GuardRefused` for a bad proof, `Forbidden` for a token that is unknown, used or expired.
 */
export async function enrolGuard(ctx: Ctx, body: unknown): Promise<{ enrolment: string }> {
  const request = await verifyEnrolRequest(body, {
    issuer: ctx.site.issuer,
    nowSeconds: toNumericDate(ctx.clock.now()),
  });
  const id = newId('guard');
  const thumbprint = await calculateJwkThumbprint(request.signingKey, 'sha256');
  const enrolled = await withTransaction(ctx, async (tx) => {
    const now = ctx.clock.now();
    const digest = sha256(request.joinSecret);
    const token = await tx.guardJoinToken.findUnique({ where: { tokenDigest: digest } });
    const { count } = await tx.guardJoinToken.updateMany({
      where: { tokenDigest: digest, usedAt: null, expiresAt: { gt: now } },
      data: { usedAt: now },
    });
    if (!token || count === 0) {
      throw new Forbidden('This join token is unknown, used or older than fifteen minutes. Make a new one.', {
        code: token?.usedAt ? 'join_token_used' : 'join_token_invalid',
      });
    }
    if (
      await tx.guard.findFirst({
        where: { OR: [{ name: token.guardName, state: 'enrolled' }, { thumbprint }] },
      })
    ) {
      throw new Conflict('A guard of this name or key is enrolled already.');
    }
    await tx.guard.create({
      data: {
        id,
        name: token.guardName,
        signingKey: request.signingKey as Prisma.InputJsonValue,
        encryptionKey: request.encryptionKey as Prisma.InputJsonValue,
        thumbprint,
        serverIds: token.serverIds,
        version: request.version,
        enrolledById: token.createdById,
        enrolledAt: now,
      },
    });
    await recordEvent(
      tx,
      { ...ctx, actor: { kind: 'guard', guardId: id, name: token.guardName } },
      {
        kind: 'guard.enrol',
        subjectId: id,
        data: {
          name: token.guardName,
          thumbprint,
          serverIds: token.serverIds,
          version: request.version,
          calledItself: request.name,
        },
      },
    );
    await notifyChange(tx, 'guards', id);
    const servers = await tx.mcpServer.findMany({
      where: { id: { in: token.serverIds } },
      select: { id: true, name: true, resource: true },
    });
    return { servers, feedKeys: { keys: await readPublishedJwks(tx, ctx, 'feed') } };
  });
  const feedKey = await activeSigningKey(ctx, 'feed');
  return {
    enrolment: signEnrolment(feedKey, {
      iss: ctx.site.issuer,
      guardId: id,
      feedKeys: enrolled.feedKeys,
      consoleOrigin: ctx.site.consoleOrigin,
      servers: enrolled.servers,
    }),
  };
}

export const revokeGuardInput = z.strictObject({
  guardId: z.string(),
  reason: z.string().trim().max(500).default(''),
});

/** Ends a guard: it gets no more feed, so within its lease it refuses everything; its testimony is no longer taken. */
export async function revokeGuard(ctx: Ctx, input: z.output<typeof revokeGuardInput>): Promise<void> {
  requireRole(ctx, 'admin');
  await withTransaction(ctx, async (tx) => {
    const { count } = await tx.guard.updateMany({
      where: { id: input.guardId, state: 'enrolled' },
      data: { state: 'revoked', revokedAt: ctx.clock.now() },
    });
    if (count === 0) {
      if (await tx.guard.findUnique({ where: { id: input.guardId } }))
        throw new Conflict('This guard is already revoked.');
      throw new NotFound();
    }
    await recordEvent(tx, ctx, { kind: 'guard.revoke', subjectId: input.guardId, reason: input.reason });
    await notifyChange(tx, 'guards', input.guardId);
  });
}

/** A token that lets our own MCP client read a server's unfiltered lists through its guard, for two minutes. */
export async function mintCatalogueToken(ctx: Ctx, resource: string): Promise<string> {
  const now = toNumericDate(ctx.clock.now());
  return signCatalogueToken(await activeSigningKey(ctx, 'feed'), {
    iss: ctx.site.issuer,
    aud: resource,
    iat: now,
    exp: now + catalogueTokenLifetimeSeconds,
    jti: newId('credential' satisfies IdKind),
  });
}

export type GuardFacts = {
  id: string;
  name: string;
  state: string;
  version: string;
  thumbprint: string;
  enrolledAt: Date;
  lastSeenAt: Date | null;
  revokedAt: Date | null;
  servers: { id: string; name: string; acknowledged: number; head: number }[];
  lastReportNumber: number;
};

/** Every guard with how far behind it is on each server. For admins, auditors and approvers. */
export async function listGuards(ctx: Ctx): Promise<GuardFacts[]> {
  if (ctx.actor.kind !== 'system') requireRole(ctx, 'admin', 'auditor', 'approver');
  const [guards, servers, heads] = await Promise.all([
    ctx.db.prisma.guard.findMany({ orderBy: { enrolledAt: 'desc' } }),
    ctx.db.prisma.mcpServer.findMany({ select: { id: true, name: true } }),
    ctx.db.prisma.feedHead.findMany(),
  ]);
  const nameOf = new Map(servers.map((server) => [server.id, server.name]));
  const headOf = new Map(heads.map((head) => [head.serverId, Number(head.sequence)]));
  return guards.map((guard) => {
    const acks = (guard.lastAcks ?? {}) as Record<string, number>;
    return {
      id: guard.id,
      name: guard.name,
      state: guard.state,
      version: guard.version,
      thumbprint: guard.thumbprint,
      enrolledAt: guard.enrolledAt,
      lastSeenAt: guard.lastSeenAt,
      revokedAt: guard.revokedAt,
      servers: guard.serverIds.map((id) => ({
        id,
        name: nameOf.get(id) ?? id,
        acknowledged: acks[id] ?? 0,
        head: headOf.get(id) ?? 0,
      })),
      lastReportNumber: Number(guard.lastReportNumber),
    };
  });
}

export type EnrolledGuard = {
  id: string;
  name: string;
  signingKey: PublicJwk;
  encryptionKey: PublicJwk;
  serverIds: string[];
};

/** The enrolled guard of this id, or null when it is unknown or revoked. */
export async function findEnrolledGuard(
  ctx: Pick<Ctx, 'db'>,
  guardId: string,
): Promise<EnrolledGuard | null> {
  const guard = await ctx.db.prisma.guard.findUnique({ where: { id: guardId } });
  if (guard?.state !== 'enrolled') return null;
  return {
    id: guard.id,
    name: guard.name,
    signingKey: guard.signingKey as PublicJwk,
    encryptionKey: guard.encryptionKey as PublicJwk,
    serverIds: guard.serverIds,
  };
}
