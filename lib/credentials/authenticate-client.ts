import { checkClientAssertion, readAssertedClientId } from '#lib/oauth/client-assertion.ts';
import { type PresentedClient, requireRegisteredMethod } from '#lib/oauth/client-authentication.ts';
import type { TokenEndpointAuthMethod } from '#lib/oauth/client-metadata.ts';
import { matchesDigest, sha256 } from '#lib/platform/crypto.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { err, ok, type Result } from '#lib/platform/result.ts';
import type { RefusedParty } from './grant-outcome.ts';
import type { Spend } from './mint.ts';
import { refusal, type TokenRefusal } from './refusal.ts';
import { readStanding, type Standing } from './standing.ts';

/** How a client proved itself. A public one proves nothing: its client_id is only a name. */
export type AuthenticatedClient = {
  readonly standing: Standing;
  readonly proved: boolean;
  /** What minting must use up for this authentication to count. */
  readonly spend: Extract<Spend, { kind: 'assertion' | 'nothing' }>;
};

/** The client a request says it comes from; the assertion's own word when no client_id is beside it. */
export function presentedClientId(presented: PresentedClient): string | null {
  if (presented.clientId !== null) return presented.clientId;
  return presented.method === 'private_key_jwt' ? readAssertedClientId(presented.assertion) : null;
}

/**
 * Authenticates a client by the one method it registered (RFC 6749 §2.3, RFC 7523 §3). Every failure is
 * `invalid_client`, with a Basic challenge where Basic was used. An assertion is not spent here: its single use is
 * part of the statement that stores what it is used for.
 */
export async function authenticateClient(
  ctx: Ctx,
  standing: Standing | null,
  presented: PresentedClient,
): Promise<Result<AuthenticatedClient, TokenRefusal>> {
  const challenge = presented.method === 'client_secret_basic' ? ({ challenge: 'Basic' } as const) : {};
  const refuse = (reason: string, description: string) =>
    err(refusal('invalid_client', reason, description, challenge));
  if (!standing) return refuse('unknown client', 'This client is not known here. Register first.');
  const { client } = standing;
  if (client.forgottenAt) return refuse('forgotten', 'This client is no longer known here. Register again.');
  if (!requireRegisteredMethod(presented, client.authMethod as TokenEndpointAuthMethod).ok) {
    return refuse('other method', 'The client did not authenticate the way it registered.');
  }
  const nothing = { kind: 'nothing' } as const;
  switch (presented.method) {
    case 'none':
      return ok({ standing, proved: false, spend: nothing });
    case 'client_secret_basic':
    case 'client_secret_post': {
      if (!matchesDigest(presented.clientSecret, client.secretDigest ?? '')) {
        return refuse('wrong secret', 'The client secret is not right.');
      }
      if (client.secretExpiresAt && client.secretExpiresAt <= ctx.clock.now()) {
        return refuse('secret expired', 'The client secret has expired. Register again.');
      }
      return ok({ standing, proved: true, spend: nothing });
    }
    case 'private_key_jwt': {
      if (!client.jwks) return refuse('no keys', 'The client has registered no key.');
      const checked = await checkClientAssertion({
        assertion: presented.assertion,
        clientId: client.id,
        issuer: ctx.site.issuer,
        jwks: client.jwks,
        now: ctx.clock.now(),
      });
      if (!checked.ok) {
        return refuse(checked.error.reason, `The client assertion is not valid: ${checked.error.reason}.`);
      }
      return ok({
        standing,
        proved: true,
        spend: {
          kind: 'assertion',
          key: sha256(`${client.id}\n${checked.value.jti}`),
          expiresAt: checked.value.expiresAt,
        },
      });
    }
  }
}

/**
 * Spends an assertion on its own, for requests that store nothing else. False when it was used before, by any process
 * of this installation.
 */
export async function spendAssertion(ctx: Ctx, spend: AuthenticatedClient['spend']): Promise<boolean> {
  if (spend.kind === 'nothing') return true;
  const { rowCount } = await ctx.db.hot.query({
    name: 'credentials.spend',
    text: 'INSERT INTO assertion_use (key, expires_at) VALUES ($1, $2) ON CONFLICT DO NOTHING',
    values: [spend.key, spend.expiresAt],
  });
  return rowCount === 1;
}

/**
 * The start of a grant that presents what a client was given before, a code or a refresh token: reads where the client
 * stands with the instance of what it holds, authenticates it, and spends its assertion, once over all attempts at one
 * request. Whoever presents what exists has proved enough to be named in history.
 */
export async function recogniseHolder(
  ctx: Ctx,
  clientId: string,
  presented: PresentedClient,
  { held, isFirstAttempt }: { held: { instance_id: string } | null; isFirstAttempt: boolean },
): Promise<Result<{ known: Standing; party: RefusedParty }, TokenRefusal & { party?: RefusedParty }>> {
  const standing = await readStanding(ctx, clientId, held?.instance_id ?? null);
  const authenticated = await authenticateClient(ctx, standing, presented);
  if (!authenticated.ok) return authenticated;
  const { standing: known, proved, spend } = authenticated.value;
  const party = { clientId, agentId: known.agent?.id ?? null, proved: proved || held !== null };
  if (isFirstAttempt && !(await spendAssertion(ctx, spend))) return err({ ...replayedAssertion, party });
  return ok({ known, party });
}

export async function wasSpent(ctx: Ctx, spend: AuthenticatedClient['spend']): Promise<boolean> {
  if (spend.kind === 'nothing') return false;
  const { rowCount } = await ctx.db.hot.query('SELECT 1 FROM assertion_use WHERE key = $1', [spend.key]);
  return rowCount === 1;
}

export const replayedAssertion = refusal(
  'invalid_client',
  'assertion replayed',
  'This client assertion was used before. Sign a new one for every request.',
);
