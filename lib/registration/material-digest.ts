import type { RegisteredMetadata } from '#lib/oauth/client-metadata.ts';
import { toPortlessRedirectUri } from '#lib/oauth/redirect-uri.ts';
import { canonicalJson, digestOf } from '#lib/platform/canonical-json.ts';

/**
 * The members of client metadata a decision rests on: where codes go, how it proves itself, what it calls itself. A
 * change in any needs a new review; the rest (logo, contacts, terms) is recorded and shown.
 */
function material(metadata: RegisteredMetadata): Record<string, unknown> {
  return {
    redirect_uris: [...new Set((metadata.redirect_uris ?? []).map(toPortlessRedirectUri))].sort(),
    token_endpoint_auth_method: metadata.token_endpoint_auth_method ?? '',
    grant_types: [...(metadata.grant_types ?? [])].sort(),
    jwks: metadata.jwks ?? null,
    jwks_uri: metadata.jwks_uri ?? null,
    client_name: metadata.client_name ?? null,
    software_id: metadata.software_id ?? null,
  };
}

export function materialDigest(metadata: RegisteredMetadata): string {
  return digestOf(material(metadata));
}

/** Whether two registrations differ in nothing a decision rests on; loopback ports do not count. */
export function isSameMaterial(one: RegisteredMetadata, other: RegisteredMetadata): boolean {
  return materialDigest(one) === materialDigest(other);
}

/** Whether codes go to the same places and the same keys prove the client; loopback ports do not count. */
export function isSameReceiver(one: RegisteredMetadata, other: RegisteredMetadata): boolean {
  const receiver = (metadata: RegisteredMetadata) => {
    const { redirect_uris, jwks, jwks_uri } = material(metadata);
    return canonicalJson({ redirect_uris, jwks, jwks_uri } as never);
  };
  return receiver(one) === receiver(other);
}

/** Names of members that differ, and whether any of them needs a new review. */
export function changedMembers(
  before: RegisteredMetadata,
  after: RegisteredMetadata,
): { names: string[]; isMaterial: boolean } {
  const [old, now] = [before as Record<string, unknown>, after as Record<string, unknown>];
  const names = [...new Set([...Object.keys(old), ...Object.keys(now)])]
    .filter((name) => canonicalJson(old[name] ?? null) !== canonicalJson(now[name] ?? null))
    .sort();
  return { names, isMaterial: !isSameMaterial(before, after) };
}
