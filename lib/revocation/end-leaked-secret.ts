import { z } from 'zod';
import { isApiToken } from '#lib/access/api-token-format.ts';
import { requirePerson } from '#lib/access/require.ts';
import { notify } from '#lib/audit/notify.ts';
import { recordEvent } from '#lib/audit/record.ts';
import { endAccessToken, endFamily } from '#lib/credentials/end-credentials.ts';
import { endTokensOfInstances } from '#lib/credentials/end-tokens-of-instances.ts';
import { refreshTokenPrefix } from '#lib/credentials/refresh-token.ts';
import { resourceTokenPrefix } from '#lib/credentials/resource-tokens.ts';
import { forgetStanding } from '#lib/credentials/standing.ts';
import { sha256 } from '#lib/platform/crypto.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { notifyChange, withTransaction } from '#lib/platform/db.ts';

export const endLeakedSecretInput = z.strictObject({
  /** The secret itself. It is compared by digest, and neither stored nor repeated. */
  secret: z.string().min(20).max(16_384),
});

export type EndedSecret = {
  /** What it was; null for what is none of ours, or no longer known. */
  what:
    | 'API token'
    | 'client secret'
    | 'refresh token'
    | 'registration access token'
    | 'token of an MCP server'
    | 'access token'
    | null;
  /** Whether this call ended it. A secret that had ended, or never lived, is as dead. */
  ended: boolean;
};

const leaked = 'reported as leaked';

/**
 * Ends a secret of this installation that turned up where it should not be. Whoever holds it may end it, as a client may
 * give up its token (RFC 7009 §2): holding it is enough to do worse. So any signed-in person can, of whatever agent or
 * person it is, and learns nothing but what kind it was. Durable before answered; those it belonged to are told. What
 * could have been made with a client secret ends with it; with a refresh token its whole sign-in.
 */
export async function endLeakedSecret(
  ctx: Ctx,
  input: z.output<typeof endLeakedSecretInput>,
): Promise<EndedSecret> {
  requirePerson(ctx);
  const { secret } = input;
  const digest = sha256(secret);
  if (isApiToken(secret)) return { what: 'API token', ended: await endApiTokenByDigest(ctx, digest) };
  if (secret.startsWith(resourceTokenPrefix))
    return { what: 'token of an MCP server', ended: await endResourceTokenByDigest(ctx, digest) };
  if (secret.startsWith('css_')) return { what: 'client secret', ended: await endClientSecret(ctx, digest) };
  if (secret.startsWith(refreshTokenPrefix)) return endRefreshOrRegistrationToken(ctx, digest);
  return endIssuedToken(ctx, digest);
}

async function endApiTokenByDigest(ctx: Ctx, tokenDigest: string): Promise<boolean> {
  return withTransaction(ctx, async (tx) => {
    const token = await tx.apiToken.findUnique({ where: { tokenDigest } });
    const now = ctx.clock.now();
    if (!token || token.endedAt || token.expiresAt <= now) return false;
    const { count } = await tx.apiToken.updateMany({
      where: { id: token.id, endedAt: null, expiresAt: { gt: now } },
      data: { endedAt: now },
    });
    if (count === 0) return false;
    await recordEvent(tx, ctx, {
      kind: 'api_token.end',
      subjectId: token.id,
      reason: leaked,
      data: { personId: token.personId, name: token.name },
    });
    await notify(tx, ctx, {
      personIds: [token.personId],
      kind: 'api_token.end',
      title: `Your API token ${token.name} has ended`,
      body: 'Somebody pasted it into the console, so it had leaked. Look where it was kept, and make another one.',
      href: '/settings',
    });
    await notifyChange(tx, 'people', token.personId);
    return true;
  });
}

async function endResourceTokenByDigest(ctx: Ctx, tokenDigest: string): Promise<boolean> {
  return withTransaction(ctx, async (tx) => {
    const token = await tx.resourceToken.findUnique({
      where: { tokenDigest },
      select: { id: true, name: true, serverId: true, createdById: true },
    });
    if (!token) return false;
    const { count } = await tx.resourceToken.updateMany({
      where: { id: token.id, endedAt: null },
      data: { endedAt: ctx.clock.now() },
    });
    if (count === 0) return false;
    await recordEvent(tx, ctx, {
      kind: 'resource_token.end',
      subjectId: token.id,
      serverId: token.serverId,
      reason: leaked,
    });
    await notify(tx, ctx, {
      personIds: token.createdById ? [token.createdById] : [],
      kind: 'resource_token.end',
      title: `The token ${token.name} of an MCP server has ended`,
      body: 'Somebody pasted it into the console, so it had leaked. The server refuses its callers until it has another one.',
      href: `/servers/${token.serverId}`,
    });
    await notifyChange(tx, 'servers', token.serverId);
    return true;
  });
}

/** The secret, and every token and sign-in of the client: whoever had the secret could have got them. */
async function endClientSecret(ctx: Ctx, secretDigest: string): Promise<boolean> {
  const clientId = await withTransaction(ctx, async (tx) => {
    const client = await tx.client.findFirst({ where: { secretDigest }, select: { id: true, name: true } });
    if (!client) return null;
    const { count } = await tx.client.updateMany({
      where: { id: client.id, secretDigest },
      data: { secretDigest: null, secretExpiresAt: null },
    });
    if (count === 0) return null;
    const eventId = await recordEvent(tx, ctx, {
      kind: 'client.secret_end',
      subjectId: client.id,
      clientId: client.id,
      reason: leaked,
      data: { what: 'client secret' },
    });
    const instances = await tx.instance.findMany({
      where: { clientId: client.id, state: { in: ['quarantined', 'active', 'suspended'] } },
      select: { id: true, ownerId: true, agentId: true },
    });
    await endTokensOfInstances(tx, ctx, instances, { forGood: true, reason: leaked, parentEventId: eventId });
    await notify(tx, ctx, {
      personIds: [...new Set(instances.map((instance) => instance.ownerId))],
      kind: 'client.secret_end',
      title: `${client.name || client.id} lost its secret`,
      body: 'Somebody pasted its client secret into the console, so it had leaked. Its tokens ended with it. Register the client again to go on.',
      href: `/clients/${encodeURIComponent(client.id)}`,
    });
    await notifyChange(tx, 'clients', client.id);
    return client.id;
  });
  if (clientId !== null) forgetStanding(ctx.db, clientId);
  return clientId !== null;
}

/** Both kinds are written alike; their digests are in different places. */
async function endRefreshOrRegistrationToken(ctx: Ctx, digest: string): Promise<EndedSecret> {
  const refresh = await ctx.db.prisma.refreshToken.findUnique({
    where: { tokenDigest: digest },
    select: { family: { select: { id: true, clientId: true, agentId: true } } },
  });
  if (refresh) {
    const { family } = refresh;
    const ended = await endFamily(ctx, {
      familyId: family.id,
      cause: 'revoked',
      reason: leaked,
      clientId: family.clientId,
      ...(family.agentId ? { agentId: family.agentId } : {}),
    });
    return { what: 'refresh token', ended };
  }
  return withTransaction(ctx, async (tx): Promise<EndedSecret> => {
    const where = { OR: [{ registrationTokenDigest: digest }, { formerRegistrationTokenDigest: digest }] };
    const client = await tx.client.findFirst({ where, select: { id: true } });
    if (!client) return { what: null, ended: false };
    const { count } = await tx.client.updateMany({
      where: { AND: [{ id: client.id }, where] },
      data: { registrationTokenDigest: null, formerRegistrationTokenDigest: null },
    });
    if (count === 0) return { what: 'registration access token', ended: false };
    await recordEvent(tx, ctx, {
      kind: 'client.secret_end',
      subjectId: client.id,
      clientId: client.id,
      reason: leaked,
      data: { what: 'registration access token' },
    });
    const instances = await tx.instance.findMany({
      where: { clientId: client.id, state: { in: ['quarantined', 'active', 'suspended'] } },
      select: { ownerId: true },
    });
    await notify(tx, ctx, {
      personIds: [...new Set(instances.map((instance) => instance.ownerId))],
      kind: 'client.secret_end',
      title: 'A client can no longer change its registration',
      body: 'Somebody pasted its registration access token into the console, so it had leaked. What was approved stays; check that nothing changed.',
      href: `/clients/${encodeURIComponent(client.id)}`,
    });
    await notifyChange(tx, 'clients', client.id);
    return { what: 'registration access token', ended: true };
  });
}

/** An access token is known by the digest of its bytes: what it says of itself decides nothing. */
async function endIssuedToken(ctx: Ctx, tokenDigest: string): Promise<EndedSecret> {
  const credential = await ctx.db.prisma.credential.findFirst({
    where: { tokenDigest },
    select: { id: true, clientId: true, agentId: true },
  });
  if (!credential) return { what: null, ended: false };
  const ended = await endAccessToken(ctx, {
    credentialId: credential.id,
    tokenDigest,
    clientId: credential.clientId,
    agentId: credential.agentId,
    cause: 'revoked',
    reason: leaked,
  });
  return { what: 'access token', ended };
}
