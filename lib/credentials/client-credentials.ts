import type { PresentedClient } from '#lib/oauth/client-authentication.ts';
import { findResource } from '#lib/oauth/resource.ts';
import type { TokenRequest } from '#lib/oauth/token-request.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { err, ok, type Result } from '#lib/platform/result.ts';
import { authenticateClient, replayedAssertion, spendAssertion, wasSpent } from './authenticate-client.ts';
import type { GrantOutcome, RefusedParty } from './grant-outcome.ts';
import { mint } from './mint.ts';
import { expiredRefusal, refusal, refusalOf, type TokenRefusal, tryAgain } from './refusal.ts';
import {
  type BindingStanding,
  forgetStanding,
  isInForce,
  judgeStanding,
  recallStanding,
  type Standing,
  toolsFor,
} from './standing.ts';

/**
 * The client credentials grant (RFC 6749 §4.4), for headless agents: the client proves itself with its key and gets
 * a token of at most five minutes for one server. No refresh token: it simply asks again, and every answer is
 * decided anew. The scope asked for is a hint; what is approved now is granted.
 */
export async function grantClientCredentials(
  ctx: Ctx,
  clientId: string,
  presented: PresentedClient,
  request: Extract<TokenRequest, { grantType: 'client_credentials' }>,
): Promise<GrantOutcome> {
  let alreadySpent = false;
  for (let attempt = 1; attempt <= 3; attempt++) {
    const standing = await recallStanding(ctx, clientId);
    const authenticated = await authenticateClient(ctx, standing, presented);
    if (!authenticated.ok) {
      // A key registered a moment ago may be missing from what was remembered.
      if (attempt === 1 && standing) {
        forgetStanding(ctx.db, clientId);
        continue;
      }
      return authenticated;
    }
    const { standing: known, proved } = authenticated.value;
    const spend = alreadySpent ? ({ kind: 'nothing' } as const) : authenticated.value.spend;
    const party: RefusedParty = { clientId, agentId: known.agent?.id ?? null, proved };
    const chosen = choose(ctx, known, request.resource);
    if (!chosen.ok) {
      forgetStanding(ctx.db, clientId);
      if (!(await spendAssertion(ctx, spend))) return err({ ...replayedAssertion, party });
      return err({ ...chosen.error, party });
    }
    const { live, binding } = chosen.value;
    const minted = await mint(ctx, {
      standing: live,
      binding,
      tools: toolsFor(known, binding).map((tool) => tool.name),
      subject: clientId,
      familyId: null,
      grantKind: 'client_credentials',
      spend,
    });
    if (typeof minted === 'object') {
      return ok({
        access_token: minted.token,
        token_type: 'Bearer',
        expires_in: minted.expiresInSeconds,
        scope: minted.scope,
      });
    }
    if (minted === 'denied') alreadySpent = true;
    else if (await wasSpent(ctx, spend)) return err({ ...replayedAssertion, party });
  }
  return err(tryAgain);
}

type Chosen = { live: Parameters<typeof mint>[1]['standing']; binding: BindingStanding };

function choose(ctx: Ctx, standing: Standing, resource: string | null): Result<Chosen, TokenRefusal> {
  const now = ctx.clock.now();
  const verdict = judgeStanding(standing, now);
  if (verdict.kind !== 'live') return err(refusalOf(ctx.site, 'client_credentials', standing, verdict));
  if (!standing.client.grantTypes.includes('client_credentials')) {
    return err(
      refusal(
        'unauthorized_client',
        'grant not registered',
        'This client is not registered for client credentials.',
      ),
    );
  }
  if (verdict.instance.livingCount > 1) {
    return err(
      refusal(
        'access_denied',
        'several owners',
        'Several people own this client, so it cannot act without one of them.',
      ),
    );
  }
  const live = { ...standing, agent: verdict.agent, instance: verdict.instance };
  if (resource !== null) {
    const known = findResource(
      standing.bindings.map((binding) => binding.resource),
      resource,
    );
    const binding = standing.bindings.find((each) => each.resource === known);
    if (!binding) {
      return err(
        refusal('invalid_target', 'other resource', 'This agent has no approval for that resource.'),
      );
    }
    if (!isInForce(binding, now)) return err(expiredRefusal(ctx.site, 'client_credentials', standing));
    return ok({ live, binding });
  }
  const inForce = standing.bindings.filter((binding) => isInForce(binding, now));
  const [binding, another] = inForce;
  if (!binding) return err(expiredRefusal(ctx.site, 'client_credentials', standing));
  if (another) {
    return err(
      refusal(
        'invalid_target',
        'resource missing',
        'This agent may use several servers. Name one with resource.',
      ),
    );
  }
  return ok({ live, binding });
}
