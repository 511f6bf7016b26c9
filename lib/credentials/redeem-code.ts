import { insertEvents, toEventRow } from '#lib/audit/record.ts';
import type { PresentedClient } from '#lib/oauth/client-authentication.ts';
import { deviceRedirectUri } from '#lib/oauth/device-grant.ts';
import { matchesCodeChallenge } from '#lib/oauth/pkce.ts';
import { findResource } from '#lib/oauth/resource.ts';
import type { TokenRequest } from '#lib/oauth/token-request.ts';
import { sourcePrefix } from '#lib/platform/address.ts';
import { addSeconds, isFromTheFuture } from '#lib/platform/clock.ts';
import { randomToken, sha256 } from '#lib/platform/crypto.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { newId } from '#lib/platform/ids.ts';
import { err, ok, type Result } from '#lib/platform/result.ts';
import { recogniseHolder } from './authenticate-client.ts';
import { endFamily } from './end-credentials.ts';
import type { GrantOutcome } from './grant-outcome.ts';
import { mint } from './mint.ts';
import { refreshExpiresAt, refreshTokenPrefix } from './refresh-token.ts';
import { expiredRefusal, refusal, refusalOf, type TokenRefusal, tryAgain } from './refusal.ts';
import { bindingEndsAt, isInForce, judgeStanding, readStanding, toolsFor } from './standing.ts';

type CodeRow = {
  code_digest: string;
  transaction_id: string;
  client_id: string;
  instance_id: string;
  agent_id: string;
  agent_epoch: number;
  redirect_uri: string;
  code_challenge: string;
  resource: string;
  delivered_at: Date | null;
  expires_at: Date;
  used_at: Date | null;
  family_id: string | null;
  browser_address: string | null;
};

const readCodeSql = {
  name: 'credentials.code',
  text: `SELECT code_digest, transaction_id, client_id, instance_id, agent_id, agent_epoch, redirect_uri, code_challenge,
    resource, delivered_at, expires_at, used_at, family_id, browser_address
    FROM authorization_code WHERE code_digest = $1`,
};

type CodeRequest = Extract<TokenRequest, { grantType: 'authorization_code' }>;

/** A device's poll redeems a code too, which nobody has carried anywhere; its assertion was spent on finding it. */
type RedeemOptions = { grantKind: 'authorization_code' | 'device_code'; isAssertionSpent: boolean };

/**
 * The authorization code grant (RFC 6749 §4.1.3, RFC 7636 §4.6, RFC 8707 §2.2). A code works once, within sixty
 * seconds of its delivery, for the client, redirect URI, resource and PKCE verifier it was issued for. Presented
 * again in every respect validly, it was copied: what came of it ends (RFC 6749 §4.1.2). Presented by another client
 * or with another verifier it is refused and nothing happens to its owner, or anyone who saw a code could end a
 * stranger's sign-in.
 */
export async function redeemCode(
  ctx: Ctx,
  clientId: string,
  presented: PresentedClient,
  request: CodeRequest,
  options: RedeemOptions = { grantKind: 'authorization_code', isAssertionSpent: false },
): Promise<GrantOutcome> {
  const codeDigest = sha256(request.code);
  for (let attempt = 1; attempt <= 3; attempt++) {
    const { rows } = await ctx.db.hot.query<CodeRow>({ ...readCodeSql, values: [codeDigest] });
    const code = rows[0]?.client_id === clientId ? rows[0] : null;
    const holder = await recogniseHolder(ctx, clientId, presented, {
      held: code,
      isFirstAttempt: attempt === 1 && !options.isAssertionSpent,
    });
    if (!holder.ok) return holder;
    const { known, party } = holder.value;

    if (!code) {
      if (rows[0]) await recordForeignCode(ctx, rows[0], clientId);
      return err({ ...unknownCode, party });
    }
    const bound = checkBound(code, request);
    if (!bound.ok) return err({ ...bound.error, party });
    if (code.used_at) {
      await endReplayedCode(ctx, code);
      return err({ ...replayedCode, party });
    }
    const now = ctx.clock.now();
    if (!code.delivered_at || code.expires_at <= now || isFromTheFuture(code.delivered_at, now))
      return err({ ...lateCode, party });
    const elsewhere = checkAddress(ctx, code);
    if (!elsewhere.ok) return err({ ...elsewhere.error, party });

    const verdict = judgeStanding(known, now);
    if (verdict.kind !== 'live')
      return err({ ...refusalOf(ctx.site, 'authorization_code', known, verdict), party });
    if (verdict.agent.id !== code.agent_id || verdict.agent.epoch !== code.agent_epoch)
      return err({ ...lateCode, party });
    const binding = known.bindings.find((each) => each.resource === code.resource);
    if (!binding || !isInForce(binding, now)) {
      return err({ ...expiredRefusal(ctx.site, 'authorization_code', known), party });
    }
    const value = known.client.grantTypes.includes('refresh_token')
      ? `${refreshTokenPrefix}${randomToken()}`
      : null;
    const endsAt = binding.firstIssuedAt ? bindingEndsAt(binding) : addSeconds(now, binding.lifetimeSeconds);
    const minted = await mint(ctx, {
      standing: { ...known, agent: verdict.agent, instance: verdict.instance },
      binding,
      tools: toolsFor(known, binding).map((tool) => tool.name),
      subject: verdict.agent.ownerId,
      familyId: newId('family'),
      grantKind: options.grantKind,
      spend: {
        kind: 'code',
        codeDigest,
        refresh: value
          ? { digest: sha256(value), generation: 1, expiresAt: refreshExpiresAt(now, endsAt) }
          : null,
      },
    });
    if (typeof minted === 'object') {
      return ok({
        access_token: minted.token,
        token_type: 'Bearer',
        expires_in: minted.expiresInSeconds,
        scope: minted.scope,
        ...(value ? { refresh_token: value } : {}),
      });
    }
    // Stored and stopped at once: its holder never had it, and the next look says what stopped it.
    if (minted === 'denied') {
      const after = await readStanding(ctx, clientId, code.instance_id);
      const now = ctx.clock.now();
      const stopped = after ? judgeStanding(after, now) : null;
      if (after && stopped && stopped.kind !== 'live') {
        return err({ ...refusalOf(ctx.site, 'authorization_code', after, stopped), party });
      }
      return err({ ...lateCode, party });
    }
  }
  return err(tryAgain);
}

const unknownCode = refusal(
  'invalid_grant',
  'unknown code',
  'This code is not valid. Start the sign-in again.',
);
const replayedCode = refusal(
  'invalid_grant',
  'code replayed',
  'This code was used before, so what it gave has ended. Start the sign-in again.',
);
const lateCode = refusal('invalid_grant', 'code expired', 'This code has expired. Start the sign-in again.');

function checkBound(code: CodeRow, request: CodeRequest): Result<null, TokenRefusal> {
  if (request.redirectUri === null) {
    return err(
      refusal(
        'invalid_request',
        'redirect missing',
        'redirect_uri is missing; send the one the code went to.',
      ),
    );
  }
  if (request.redirectUri !== code.redirect_uri) {
    return err(refusal('invalid_grant', 'other redirect', 'The code was issued for another redirect_uri.'));
  }
  if (!matchesCodeChallenge(request.codeVerifier, code.code_challenge)) {
    return err(refusal('invalid_grant', 'wrong verifier', 'code_verifier does not belong to the code.'));
  }
  if (request.resource !== null && findResource([code.resource], request.resource) === null) {
    return err(refusal('invalid_target', 'other resource', 'The code was issued for another resource.'));
  }
  return ok(null);
}

/**
 * A code for a loopback or private-use redirect is redeemed by a program on the machine whose browser carried it.
 * Another address of the same kind contradicts that, and the code is held. Codes for https redirects are redeemed by
 * servers, and an IPv4 and an IPv6 address of one host cannot be compared.
 */
function checkAddress(ctx: Ctx, code: CodeRow): Result<null, TokenRefusal> {
  const { browser_address: browser, redirect_uri: redirect } = code;
  if (!browser || !ctx.address || redirect.startsWith('https:')) return ok(null);
  if (browser.includes(':') !== ctx.address.includes(':')) return ok(null);
  if (sourcePrefix(browser) === sourcePrefix(ctx.address)) return ok(null);
  return err(
    refusal(
      'access_denied',
      'other address',
      redirect === deviceRedirectUri
        ? 'The code was asked for in one network and is redeemed from another. Start the sign-in again.'
        : 'The code came to a browser in one network and is redeemed from another. Start the sign-in where the client runs.',
    ),
  );
}

async function endReplayedCode(ctx: Ctx, code: CodeRow): Promise<void> {
  const event = toEventRow(ctx, {
    kind: 'code.replay',
    subjectId: code.code_digest,
    outcome: 'refused',
    agentId: code.agent_id,
    clientId: code.client_id,
    reason: 'presented again',
    data: { transactionId: code.transaction_id, familyId: code.family_id },
  });
  await ctx.db.hot.query(insertEvents('$1'), [JSON.stringify([event])]);
  if (code.family_id) {
    await endFamily(ctx, {
      familyId: code.family_id,
      cause: 'reused',
      reason: 'code replayed',
      parentIds: [event.id],
    });
  }
}

/** Somebody else's code: its owner's grant is untouched, and history says who tried. */
async function recordForeignCode(ctx: Ctx, code: CodeRow, presentedBy: string): Promise<void> {
  const event = toEventRow(ctx, {
    kind: 'code.replay',
    subjectId: code.code_digest,
    outcome: 'refused',
    agentId: code.agent_id,
    clientId: code.client_id,
    reason: 'presented by another client',
    data: { transactionId: code.transaction_id, presentedBy },
  });
  await ctx.db.hot.query(insertEvents('$1'), [JSON.stringify([event])]);
}
