import { insertEvents, toEventRow } from '#lib/audit/record.ts';
import { noteAnonymousRefusal } from '#lib/audit/refusals.ts';
import type { PresentedClient } from '#lib/oauth/client-authentication.ts';
import type { deviceCodeGrant } from '#lib/oauth/device-grant.ts';
import type { TokenRequest } from '#lib/oauth/token-request.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { DomainError } from '#lib/platform/errors.ts';
import { err, type Result } from '#lib/platform/result.ts';
import { authenticateClient, presentedClientId } from './authenticate-client.ts';
import { grantClientCredentials } from './client-credentials.ts';
import type { GrantOutcome, RefusedParty, TokenAnswer } from './grant-outcome.ts';
import { redeemCode } from './redeem-code.ts';
import { refreshToken } from './refresh-token.ts';
import { refusal, type TokenRefusal } from './refusal.ts';
import { recallStanding } from './standing.ts';

/**
 * Answers a token request (RFC 6749 §3.2): one grant, one credential, stored with its event before it is answered.
 * Refusals of a caller who proved who it is are events of their own; others are counted by source and minute.
 */
export async function exchange(
  ctx: Ctx,
  presented: PresentedClient,
  request: ExchangeRequest,
): Promise<Result<TokenAnswer, TokenRefusal>> {
  return answerGrant(ctx, presented, request.grantType, (asClient, clientId) =>
    grant(asClient, clientId, presented, request),
  );
}

/** Every token request but a device's poll, which goes through what that device was claimed for. */
export type ExchangeRequest = Exclude<TokenRequest, { grantType: typeof deviceCodeGrant }>;

/** Not a refusal: nothing is decided yet, and the device asks again (RFC 8628 §3.5). */
const keepAsking: ReadonlySet<string> = new Set(['authorization_pending', 'slow_down']);

/** One grant for the client that asks, acting as that client; what is refused is recorded as it deserves. */
export async function answerGrant(
  ctx: Ctx,
  presented: PresentedClient,
  grantType: string,
  grant: (ctx: Ctx, clientId: string) => Promise<GrantOutcome>,
): Promise<Result<TokenAnswer, TokenRefusal>> {
  const clientId = presentedClientId(presented);
  if (clientId === null) {
    noteAnonymousRefusal(ctx, 'token', 'unknown client');
    return err(
      refusal('invalid_client', 'unknown client', 'The assertion does not say which client it comes from.'),
    );
  }
  let outcome: GrantOutcome;
  try {
    outcome = await grant({ ...ctx, actor: { kind: 'client', clientId } }, clientId);
  } catch (error) {
    if (!(error instanceof DomainError) || error.code !== 'unavailable') throw error;
    return err(refusal('temporarily_unavailable', 'unavailable', error.message, { retryAfterSeconds: 2 }));
  }
  if (outcome.ok || keepAsking.has(outcome.error.code)) return outcome;
  await recordTokenRefusal(ctx, grantType, outcome.error);
  return outcome;
}

/**
 * What comes before a malformed request: whether the client that sent it is one of ours at all. Null when it is; its
 * assertion, if any, is left unspent, since nothing was done with it.
 */
export async function refuseMalformed(ctx: Ctx, presented: PresentedClient): Promise<TokenRefusal | null> {
  const clientId = presentedClientId(presented);
  const standing = clientId === null ? null : await recallStanding(ctx, clientId);
  const authenticated = await authenticateClient(ctx, standing, presented);
  noteAnonymousRefusal(ctx, 'token', authenticated.ok ? 'malformed' : authenticated.error.reason);
  return authenticated.ok ? null : authenticated.error;
}

function grant(
  ctx: Ctx,
  clientId: string,
  presented: PresentedClient,
  request: ExchangeRequest,
): Promise<GrantOutcome> {
  switch (request.grantType) {
    case 'authorization_code':
      return redeemCode(ctx, clientId, presented, request);
    case 'refresh_token':
      return refreshToken(ctx, clientId, presented, request);
    case 'client_credentials':
      return grantClientCredentials(ctx, clientId, presented, request);
  }
}

async function recordTokenRefusal(
  ctx: Ctx,
  grantType: string,
  refused: TokenRefusal & { party?: RefusedParty },
): Promise<void> {
  const { party } = refused;
  if (!party?.proved) {
    noteAnonymousRefusal(ctx, 'token', refused.reason);
    return;
  }
  const event = toEventRow(
    { ...ctx, actor: { kind: 'client', clientId: party.clientId } },
    {
      kind: 'refusal.authenticated',
      subjectId: 'token',
      outcome: 'refused',
      clientId: party.clientId,
      agentId: party.agentId,
      reason: refused.reason,
      data: { operation: 'token', grant: grantType, error: refused.code },
    },
  );
  await ctx.db.hot.query(insertEvents('$1'), [JSON.stringify([event])]);
}
