import { describeClientMetadataDocumentReason, isClientIdUrl } from '#lib/oauth/client-id-metadata.ts';
import {
  type RegisteredMetadata,
  toRegisteredMetadata,
  toSoftwareFingerprint,
} from '#lib/oauth/client-metadata.ts';
import type { FetchClientMetadataReason } from '#lib/oauth/fetch-client-metadata.ts';
import { digestOf } from '#lib/platform/canonical-json.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { withoutSecrets } from '#lib/platform/db.ts';
import { clientDocuments } from './documents.ts';
import type { ForgottenCause } from './forgotten.ts';
import { materialDigest } from './material-digest.ts';

export type ClientKind = 'dynamic' | 'metadata document' | 'manual';

/** A client as it is known now: a stored row, or a metadata document seen for the first time. */
export type KnownClient = {
  id: string;
  kind: ClientKind;
  name: string;
  metadata: RegisteredMetadata;
  /** Of the metadata as registered; for documents, of the members a decision rests on. What a snapshot names. */
  metadataDigest: string;
  /** Of the document's bytes as fetched just now. */
  documentDigest: string | null;
  fingerprint: string;
  redirectUris: readonly string[];
  tokenEndpointAuthMethod: string;
  grantTypes: readonly string[];
  jwks: unknown;
  sourceId: string;
  registeredAt: Date | null;
  sourceAddress: string | null;
  userAgent: string | null;
  quarantineEndsAt: Date | null;
  claimedAt: Date | null;
  forgottenAt: Date | null;
  forgottenCause: ForgottenCause | null;
  /** Whether a row exists; a document has none before somebody claims it. */
  isStored: boolean;
  /** For documents: whether it says something else than what is stored, and whether it could be read just now. */
  hasChanged: boolean;
  isReachable: boolean;
};

export type UnknownClient =
  /** No such client, or one that never was. */
  | { found: false; because: 'unknown' }
  /** A URL whose document cannot be used, with a sentence for the person in the browser. */
  | { found: false; because: 'document'; description: string };

/**
 * Finds the client behind a client_id: registered ones by row, URLs by their document, fetched through the guarded
 * door and compared with what is stored. Reads only. A known document that cannot be reached now is used as stored:
 * its host being down must not lock its people out, and what is stored is what was reviewed.
 */
export async function findClient(
  ctx: Pick<Ctx, 'db' | 'site' | 'clock'>,
  clientId: string,
  options: { refresh?: boolean } = {},
): Promise<{ found: true; client: KnownClient } | UnknownClient> {
  const row = await ctx.db.prisma.client.findUnique({
    where: { id: clientId },
    omit: withoutSecrets.client,
  });
  const stored: KnownClient | null = row && {
    ...row,
    kind: row.kind as ClientKind,
    metadata: row.metadata as RegisteredMetadata,
    forgottenCause: row.forgottenCause as ForgottenCause | null,
    documentDigest: null,
    isStored: true,
    hasChanged: false,
    isReachable: true,
  };
  if (!isClientIdUrl(clientId))
    return stored ? { found: true, client: stored } : { found: false, because: 'unknown' };

  const fetched = await clientDocuments(ctx).clientMetadata(clientId, options);
  if (!fetched.ok) {
    if (stored && fetched.error.reason === 'unavailable') {
      return { found: true, client: { ...stored, isReachable: false } };
    }
    return { found: false, because: 'document', description: describeDocumentReason(fetched.error) };
  }
  const { metadata, digest } = fetched.value;
  const registered = toRegisteredMetadata(metadata);
  return {
    found: true,
    client: {
      id: clientId,
      kind: 'metadata document',
      name: metadata.clientName ?? new URL(clientId).host,
      metadata: registered,
      metadataDigest: materialDigest(registered),
      documentDigest: digest,
      fingerprint: toSoftwareFingerprint(metadata),
      redirectUris: registered.redirect_uris,
      tokenEndpointAuthMethod: metadata.tokenEndpointAuthMethod,
      grantTypes: metadata.grantTypes,
      jwks: metadata.jwks,
      sourceId: stored?.sourceId ?? 'src_intake',
      registeredAt: stored?.registeredAt ?? null,
      sourceAddress: null,
      userAgent: null,
      quarantineEndsAt: stored?.quarantineEndsAt ?? null,
      claimedAt: stored?.claimedAt ?? null,
      forgottenAt: stored?.forgottenAt ?? null,
      forgottenCause: stored?.forgottenCause ?? null,
      isStored: stored !== null,
      hasChanged: stored !== null && digestOf(stored.metadata) !== digestOf(registered),
      isReachable: true,
    },
  };
}

/** Why a document was refused, for the person in the browser: no oracle for our network, nothing repeated from it. */
export function describeDocumentReason(reason: FetchClientMetadataReason): string {
  switch (reason.reason) {
    case 'url-invalid':
      return 'The client_id is a URL, but not one a metadata document may have: https, a path, in normal form.';
    case 'unavailable':
      return 'The client’s metadata document could not be fetched.';
    case 'document-malformed':
      return 'The client’s metadata document is not well-formed JSON.';
    case 'document-invalid':
      return `The client’s metadata document was refused: ${describeClientMetadataDocumentReason(reason.problem)}.`;
  }
}
