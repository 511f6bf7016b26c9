import {
  type ClientMetadata,
  type ClientMetadataPolicy,
  type ClientMetadataReason,
  describeClientMetadataReason,
  parseClientMetadata,
} from '#lib/oauth/client-metadata.ts';
import { type DocumentUrlProblem, parseDocumentUrl } from '#lib/oauth/document-url.ts';
import type { JsonValue } from '#lib/platform/canonical-json.ts';
import { err, ok, type Result } from '#lib/platform/result.ts';
import { isJsonObject } from '#lib/platform/strict-json.ts';

/** Largest document, in bytes (draft-ietf-oauth-client-id-metadata-document §6.6 proposes 5 KB). */
export const MAX_CLIENT_METADATA_DOCUMENT_BYTES = 5 * 1024;

export type ClientMetadataDocumentReason =
  | ClientMetadataReason
  | { reason: 'client-id-mismatch' }
  | { reason: 'shared-secret' };

/**
 * Whether a client_id means a metadata document rather than a registered client. Every URL does, well-formed or not:
 * a malformed one must be refused as such and never looked up as a name.
 */
export function isClientIdUrl(clientId: string): boolean {
  return /^https?:/i.test(clientId);
}

/** Judges a client_id that is a URL, before anything is fetched. */
export function parseClientIdUrl(
  clientId: string,
  options: { allowLoopback?: boolean } = {},
): Result<URL, DocumentUrlProblem> {
  return parseDocumentUrl(clientId, { ...options, requirePath: true });
}

/**
 * Judges a fetched document (draft-ietf-oauth-client-id-metadata-document §4): `client_id` equals the URL it came
 * from to the byte, no shared secret in any form (everyone can read it), then client metadata as at registration.
 * A document that names no authentication method means `none`: the default elsewhere would be a secret.
 */
export function parseClientMetadataDocument(
  document: JsonValue | undefined,
  clientIdUrl: string,
  policy: ClientMetadataPolicy,
): Result<ClientMetadata, ClientMetadataDocumentReason> {
  if (!isJsonObject(document)) return err({ reason: 'not-an-object' });
  if (document.client_id !== clientIdUrl) return err({ reason: 'client-id-mismatch' });
  const { client_secret: secret, client_secret_expires_at: secretExpiresAt } = document;
  if (secret !== undefined || secretExpiresAt !== undefined) return err({ reason: 'shared-secret' });
  const method = document.token_endpoint_auth_method ?? 'none';
  if (typeof method === 'string' && method.startsWith('client_secret_'))
    return err({ reason: 'shared-secret' });
  const { client_id: _matched, ...members } = document;
  const metadata = parseClientMetadata(
    { ...members, token_endpoint_auth_method: method === '' ? 'none' : method },
    { ...policy, authMethods: ['none', 'private_key_jwt'] },
  );
  return metadata.ok ? ok(metadata.value) : metadata;
}

/** A sentence about a refused document, for the person in the browser and the log. */
export function describeClientMetadataDocumentReason(reason: ClientMetadataDocumentReason): string {
  if (reason.reason === 'client-id-mismatch')
    return 'client_id in the document is not the URL it was fetched from';
  if (reason.reason === 'shared-secret')
    return 'the document relies on a shared secret, which everyone can read';
  return describeClientMetadataReason(reason);
}
