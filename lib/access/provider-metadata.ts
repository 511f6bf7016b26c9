import { createRemoteJWKSet, customFetch, type JWTVerifyGetKey } from 'jose';
import { z } from 'zod';
import type { Clock } from '#lib/platform/clock.ts';
import { Unavailable } from '#lib/platform/errors.ts';
import { isProviderUrl } from '#lib/platform/identity-provider.ts';
import { isLoopbackHost } from '#lib/platform/settings.ts';
import { upstreamFetch } from '#lib/platform/upstream-fetch.ts';

/** What the identity provider publishes about itself and we use (OpenID Connect Discovery 1.0 §3). */
export type ProviderMetadata = {
  issuer: string;
  authorizationEndpoint: string;
  tokenEndpoint: string;
  jwksUri: string;
  /** What ID tokens are signed with unless somebody asked for something else: RS256 where there is that. */
  idTokenAlgorithm: string;
};

/** Asymmetric ones only: with a shared secret whoever relies on a token could also make it. */
export const idTokenAlgorithms: readonly string[] = ['RS256', 'PS256', 'ES256', 'ES384', 'EdDSA', 'Ed25519'];

const timeoutMs = 5_000;
/** Asked for anew after this long, so that a moved endpoint is found without a restart. */
const keptMs = 10 * 60_000;
/** A provider that is away is not asked again by everybody who tries to sign in. */
const failureKeptMs = 5_000;

const endpoint = z.string().refine((url) => isProviderUrl(url, isLoopbackHost), 'must be an https URL');

const published = z.object({
  issuer: z.string(),
  authorization_endpoint: endpoint,
  token_endpoint: endpoint,
  jwks_uri: endpoint,
  id_token_signing_alg_values_supported: z.array(z.string()).default(['RS256']),
});

const kept = new Map<string, { metadata: Promise<ProviderMetadata>; untilMs: number }>();

/**
 * The metadata of an issuer, kept for ten minutes, a failure for five seconds; callers at once share one request.
 *
 * @throws Unavailable when the provider does not answer, answers nonsense, or calls itself something else than was
 *   configured: a document of another issuer could name another issuer's keys (Discovery 1.0 §4.3). The reason is for
 *   the operator's log.
 */
export async function readProviderMetadata(issuer: string, clock: Clock): Promise<ProviderMetadata> {
  const known = kept.get(issuer);
  if (known && known.untilMs > clock.monotonicMs()) return known.metadata;
  const metadata = fetchMetadata(issuer);
  kept.set(issuer, { metadata, untilMs: clock.monotonicMs() + keptMs });
  metadata.catch(() => kept.set(issuer, { metadata, untilMs: clock.monotonicMs() + failureKeptMs }));
  return metadata;
}

async function fetchMetadata(issuer: string): Promise<ProviderMetadata> {
  const url = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
  let document: unknown;
  try {
    const response = await upstreamFetch({ timeoutMs })(url, { headers: { accept: 'application/json' } });
    if (!response.ok) throw new Error(`status ${response.status}`);
    document = await response.json();
  } catch (cause) {
    throw new Unavailable(`The identity provider's metadata could not be read at ${url}.`, {}, { cause });
  }
  const parsed = published.safeParse(document);
  if (!parsed.success) {
    throw new Unavailable(
      `The identity provider's metadata at ${url} cannot be used.`,
      {},
      { cause: parsed.error },
    );
  }
  const { issuer: named, authorization_endpoint, token_endpoint, jwks_uri } = parsed.data;
  const signedWith = parsed.data.id_token_signing_alg_values_supported;
  if (named !== issuer) {
    throw new Unavailable(
      `The identity provider calls itself ${named}, and COUNTERSIGN_OIDC_ISSUER says ${issuer}.`,
    );
  }
  // A provider on the network must not send us to programs of this host.
  const endpoints = [authorization_endpoint, token_endpoint, jwks_uri];
  if (issuer.startsWith('https:') && endpoints.some((url) => !url.startsWith('https:'))) {
    throw new Unavailable(`The identity provider's metadata at ${url} names endpoints without https.`);
  }
  return {
    issuer,
    authorizationEndpoint: authorization_endpoint,
    tokenEndpoint: token_endpoint,
    jwksUri: jwks_uri,
    idTokenAlgorithm: idTokenAlgorithms.find((algorithm) => signedWith.includes(algorithm)) ?? 'RS256',
  };
}

/** A key that was rotated in a moment ago is found this soon. */
const keyCooldownMs = 5_000;
const keySets = new Map<string, JWTVerifyGetKey>();

/** The provider's keys. Fetched when an unknown key id is met, at most every five seconds. */
export function providerKeys(jwksUri: string): JWTVerifyGetKey {
  let keys = keySets.get(jwksUri);
  if (!keys) {
    keys = createRemoteJWKSet(new URL(jwksUri), {
      timeoutDuration: timeoutMs,
      cooldownDuration: keyCooldownMs,
      [customFetch]: upstreamFetch({ timeoutMs }),
    });
    keySets.set(jwksUri, keys);
  }
  return keys;
}
