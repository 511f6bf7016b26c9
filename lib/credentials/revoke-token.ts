import { noteAnonymousRefusal } from '#lib/audit/refusals.ts';
import type { PresentedClient } from '#lib/oauth/client-authentication.ts';
import { sha256 } from '#lib/platform/crypto.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { DomainError } from '#lib/platform/errors.ts';
import { readCompact } from '#lib/platform/jws.ts';
import { err, ok, type Result } from '#lib/platform/result.ts';
import {
  authenticateClient,
  presentedClientId,
  replayedAssertion,
  spendAssertion,
} from './authenticate-client.ts';
import { endAccessToken, endFamily } from './end-credentials.ts';
import { refreshTokenPrefix } from './refresh-token.ts';
import { refusal, type TokenRefusal } from './refusal.ts';
import { recallStanding } from './standing.ts';

/**
 * Token revocation (RFC 7009 §2): a client gives up what it holds. A refresh token takes its whole sign-in along,
 * every access token minted in it; an access token ends alone. A token of another client, or none at all, is
 * answered like success and nothing happens. Durable, and on its way to the guards, before it is answered.
 */
export async function revokeToken(
  ctx: Ctx,
  presented: PresentedClient,
  token: string,
): Promise<Result<null, TokenRefusal>> {
  try {
    return await revoke(ctx, presented, token);
  } catch (error) {
    if (!(error instanceof DomainError) || error.code !== 'unavailable') throw error;
    return err(refusal('temporarily_unavailable', 'unavailable', error.message, { retryAfterSeconds: 2 }));
  }
}

async function revoke(
  ctx: Ctx,
  presented: PresentedClient,
  token: string,
): Promise<Result<null, TokenRefusal>> {
  const clientId = presentedClientId(presented);
  const standing = clientId === null ? null : await recallStanding(ctx, clientId);
  const authenticated = await authenticateClient(ctx, standing, presented);
  if (!authenticated.ok) {
    noteAnonymousRefusal(ctx, 'revoke', authenticated.error.reason);
    return authenticated;
  }
  const { client } = authenticated.value.standing;
  if (!(await spendAssertion(ctx, authenticated.value.spend))) return err(replayedAssertion);
  const asClient: Ctx = { ...ctx, actor: { kind: 'client', clientId: client.id } };
  if (token.startsWith(refreshTokenPrefix)) await endOwnFamily(asClient, client.id, token);
  else await endOwnAccessToken(asClient, client.id, token);
  return ok(null);
}

async function endOwnFamily(ctx: Ctx, clientId: string, token: string): Promise<void> {
  const { rows } = await ctx.db.hot.query<{ family_id: string; agent_id: string }>({
    name: 'credentials.family-of',
    text: `SELECT t.family_id, f.agent_id FROM refresh_token t JOIN refresh_family f ON f.id = t.family_id
            WHERE t.token_digest = $1 AND f.client_id = $2 AND f.state <> 'ended'`,
    values: [sha256(token), clientId],
  });
  const [family] = rows;
  if (!family) return;
  await endFamily(ctx, {
    familyId: family.family_id,
    cause: 'revoked',
    reason: 'given up by the client',
    clientId,
    agentId: family.agent_id,
  });
}

async function endOwnAccessToken(ctx: Ctx, clientId: string, token: string): Promise<void> {
  // The claims are only what the event will say: the statement ends nothing but the row of these very bytes.
  const claims = readCompact(token)?.payload;
  if (!claims || claims.client_id !== clientId || typeof claims.jti !== 'string') return;
  const agentId = (claims.cs as { agent?: unknown } | undefined)?.agent;
  await endAccessToken(ctx, {
    credentialId: claims.jti,
    tokenDigest: sha256(token),
    clientId,
    agentId: typeof agentId === 'string' ? agentId : null,
    cause: 'revoked',
    reason: 'given up by the client',
  });
}
