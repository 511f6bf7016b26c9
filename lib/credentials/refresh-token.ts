import { toEventRow } from '#lib/audit/record.ts';
import type { PresentedClient } from '#lib/oauth/client-authentication.ts';
import { findResource } from '#lib/oauth/resource.ts';
import type { TokenRequest } from '#lib/oauth/token-request.ts';
import { sourcePrefix } from '#lib/platform/address.ts';
import { addSeconds, isFromTheFuture } from '#lib/platform/clock.ts';
import { hmac, sha256 } from '#lib/platform/crypto.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { Unavailable } from '#lib/platform/errors.ts';
import { err, ok } from '#lib/platform/result.ts';
import { recogniseHolder } from './authenticate-client.ts';
import { endFamily } from './end-credentials.ts';
import type { GrantOutcome } from './grant-outcome.ts';
import { mint, type Spend } from './mint.ts';
import { expiredRefusal, refusal, refusalOf, tryAgain } from './refusal.ts';
import { bindingEndsAt, isInForce, judgeStanding, type Standing, toolsFor } from './standing.ts';

export const refreshTokenPrefix = 'csr_';
/** A sign-in nobody refreshes for this long is over. */
const idleSeconds = 30 * 24 * 3600;

/** Both official SDKs replay one refresh token in parallel calls; this long they get the same successor. */
export const graceSeconds = 30;
/** More replays than parallel calls explain. */
export const maxReplays = 5;

/** A refresh token never outlives the approval it stands on. */
export function refreshExpiresAt(now: Date, approvalEndsAt: Date): Date {
  const idleAt = addSeconds(now, idleSeconds);
  return idleAt < approvalEndsAt ? idleAt : approvalEndsAt;
}

type RefreshRow = {
  family_id: string;
  generation: number;
  expires_at: Date;
  first_used_at: Date | null;
  successor_digest: string | null;
  replay_count: number;
  used_from_prefix: string | null;
  successor_used_at: Date | null;
  client_id: string;
  instance_id: string;
  agent_id: string;
  server_id: string;
  resource: string;
  family_state: string;
};

const readRefreshSql = {
  name: 'credentials.refresh',
  text: `SELECT t.family_id, t.generation, t.expires_at, t.first_used_at, t.successor_digest, t.replay_count,
    t.used_from_prefix, s.first_used_at AS successor_used_at, f.client_id, f.instance_id, f.agent_id, f.server_id,
    f.resource, f.state AS family_state
    FROM refresh_token t JOIN refresh_family f ON f.id = t.family_id
    LEFT JOIN refresh_token s ON s.token_digest = t.successor_digest
    WHERE t.token_digest = $1`,
};

/**
 * The refresh grant (RFC 6749 §6) with rotation (RFC 9700 §4.14.2). The scope is read anew from what is approved now,
 * so that newly approved tools arrive without a browser and withdrawn ones go.
 *
 * The successor is derived from the presented token, so a replay within the grace gives the same one and a family
 * never forks. Grace is for public interactive clients, ends when the successor is first used, after five replays or
 * from another network; a replay without grace ends the family and everything minted in it.
 */
export async function refreshToken(
  ctx: Ctx,
  clientId: string,
  presented: PresentedClient,
  request: Extract<TokenRequest, { grantType: 'refresh_token' }>,
): Promise<GrantOutcome> {
  const tokenDigest = sha256(request.refreshToken);
  const prefix = sourcePrefix(ctx.address);
  for (let attempt = 1; attempt <= 8; attempt++) {
    const { rows } = await ctx.db.hot.query<RefreshRow>({ ...readRefreshSql, values: [tokenDigest] });
    const token = rows[0]?.client_id === clientId ? rows[0] : null;
    const holder = await recogniseHolder(ctx, clientId, presented, {
      held: token,
      isFirstAttempt: attempt === 1,
    });
    if (!holder.ok) return holder;
    const { known, party } = holder.value;

    // Another client's token is refused like one that never was, and nothing happens to its family.
    if (!token) return err({ ...unknownToken, party });
    const now = ctx.clock.now();
    const verdict = judgeStanding(known, now);
    if (token.family_state === 'ended') {
      // What is over for good says so; what may come back says that first, unless this family does not.
      return err({
        ...(verdict.kind === 'rejected' ? refusalOf(ctx.site, 'refresh_token', known, verdict) : endedFamily),
        party,
      });
    }
    if (verdict.kind !== 'live')
      return err({ ...refusalOf(ctx.site, 'refresh_token', known, verdict), party });
    if (token.family_state === 'frozen') {
      return err({
        ...refusalOf(ctx.site, 'refresh_token', known, { kind: 'suspended', fatal: false }),
        party,
      });
    }
    if (request.resource !== null && findResource([token.resource], request.resource) === null) {
      return err({ ...otherResource, party });
    }
    const binding = known.bindings.find((each) => each.serverId === token.server_id);
    if (!binding || !isInForce(binding, now) || verdict.agent.id !== token.agent_id) {
      return err({ ...expiredRefusal(ctx.site, 'refresh_token', known), party });
    }
    const replayed = token.first_used_at !== null;
    if (replayed && !isInGrace(token, known, prefix, now)) {
      await endReplayedFamily(ctx, token, prefix);
      return err({ ...replayedToken, party });
    }
    // A replay is answered though the token has meanwhile expired; a first use is not.
    if (!replayed && token.expires_at <= now) return err({ ...expiredToken, party });

    const successor = successorOf(ctx, request.refreshToken);
    const endsAt = binding.firstIssuedAt ? bindingEndsAt(binding) : addSeconds(now, binding.lifetimeSeconds);
    const spending: Spend = replayed
      ? { kind: 'replay', tokenDigest, prefix, successorDigest: sha256(successor) }
      : {
          kind: 'refresh',
          tokenDigest,
          prefix,
          refresh: {
            digest: sha256(successor),
            generation: token.generation + 1,
            expiresAt: refreshExpiresAt(now, endsAt),
          },
        };
    const minted = await mint(ctx, {
      standing: { ...known, agent: verdict.agent, instance: verdict.instance },
      binding,
      tools: toolsFor(known, binding).map((tool) => tool.name),
      subject: verdict.agent.ownerId,
      familyId: token.family_id,
      grantKind: 'refresh_token',
      spend: spending,
    });
    if (typeof minted === 'object') {
      return ok({
        access_token: minted.token,
        token_type: 'Bearer',
        expires_in: minted.expiresInSeconds,
        scope: minted.scope,
        refresh_token: successor,
      });
    }
    // Refused: somebody else used the token in the same instant, or something changed. Denied: the next look says what
    // stopped it, and the successor is in the client's reach by the grace. Either way, look again.
  }
  return err(tryAgain);
}

const unknownToken = refusal(
  'invalid_grant',
  'unknown refresh token',
  'This refresh token is not valid. Sign in again.',
);
const expiredToken = refusal(
  'invalid_grant',
  'refresh token expired',
  'This refresh token has expired. Sign in again.',
);
const endedFamily = refusal('invalid_grant', 'family ended', 'This sign-in has ended. Sign in again.');
const replayedToken = refusal(
  'invalid_grant',
  'refresh token replayed',
  'This refresh token was used before, so its sign-in has ended. Sign in again.',
);
const otherResource = refusal('invalid_target', 'other resource', 'This sign-in is for another resource.');

/** Only what parallel calls of one honest public client explain. */
function isInGrace(token: RefreshRow, standing: Standing, prefix: string, now: Date): boolean {
  return (
    token.first_used_at !== null &&
    standing.client.authMethod === 'none' &&
    standing.agent?.clientClass === 'interactive' &&
    now < addSeconds(token.first_used_at, graceSeconds) &&
    !isFromTheFuture(token.first_used_at, now) &&
    token.replay_count < maxReplays &&
    token.used_from_prefix === prefix &&
    token.successor_used_at === null
  );
}

function successorOf(ctx: Pick<Ctx, 'vault'>, presented: string): string {
  if (!ctx.vault) throw new Unavailable('Only the gate can rotate a refresh token.');
  return `${refreshTokenPrefix}${hmac(ctx.vault.deriveKey('refresh rotation v1'), presented)}`;
}

async function endReplayedFamily(ctx: Ctx, token: RefreshRow, prefix: string): Promise<void> {
  const event = toEventRow(ctx, {
    kind: 'family.replay',
    subjectId: token.family_id,
    outcome: 'refused',
    agentId: token.agent_id,
    clientId: token.client_id,
    serverId: token.server_id,
    reason: 'without grace',
    data: {
      generation: token.generation,
      replayCount: token.replay_count + 1,
      firstUsedAt: token.first_used_at?.toISOString() ?? null,
      usedFrom: token.used_from_prefix,
      presentedFrom: prefix,
      successorUsed: token.successor_used_at !== null,
    },
  });
  await endFamily(ctx, {
    familyId: token.family_id,
    cause: 'reused',
    reason: 'refresh token replayed',
    parentIds: [event.id],
    events: [event],
  });
}
