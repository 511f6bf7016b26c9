import {
  type ClientMetadataDocumentReason,
  MAX_CLIENT_METADATA_DOCUMENT_BYTES,
  parseClientIdUrl,
  parseClientMetadataDocument,
} from '#lib/oauth/client-id-metadata.ts';
import type { ClientMetadata, ClientMetadataPolicy } from '#lib/oauth/client-metadata.ts';
import { type DocumentUrlProblem, parseDocumentUrl } from '#lib/oauth/document-url.ts';
import { type ClientJwks, type JwksProblem, parseClientJwks } from '#lib/oauth/jwks.ts';
import { type Clock, systemClock } from '#lib/platform/clock.ts';
import type { RemoteDocument, RemoteHttp, Unavailable } from '#lib/platform/http.ts';
import { err, ok, type Result } from '#lib/platform/result.ts';
import { parseStrictJson, type StrictJsonReason } from '#lib/platform/strict-json.ts';

/** A metadata document as fetched and judged once: what is reviewed and what is used at runtime are this. */
export type ClientMetadataDocument = {
  /** The client_id: the URL, to the byte. */
  clientId: string;
  metadata: ClientMetadata;
  /** SHA-256 of the bytes as they came. */
  digest: string;
  /** The bytes as text, for the record and the reviewer. */
  text: string;
  fetchedAt: Date;
  freshUntil: Date;
};

export type FetchClientMetadataReason =
  | { reason: 'url-invalid'; problem: DocumentUrlProblem }
  | Unavailable
  | { reason: 'document-malformed'; problem: StrictJsonReason }
  | { reason: 'document-invalid'; problem: ClientMetadataDocumentReason };

export type FetchClientJwksReason =
  | { reason: 'url-invalid'; problem: DocumentUrlProblem }
  | Unavailable
  | { reason: 'document-malformed'; problem: StrictJsonReason }
  | { reason: 'jwks-invalid'; problem: JwksProblem };

export type ClientDocuments = {
  /**
   * The document behind a client_id URL. A fresh copy is reused unless `refresh` asks for the present one; two
   * requests at once share one fetch. Failures are never kept.
   */
  clientMetadata(
    clientId: string,
    options?: { refresh?: boolean },
  ): Promise<Result<ClientMetadataDocument, FetchClientMetadataReason>>;
  /** The keys behind a jwks_uri, on the same terms. */
  clientJwks(
    jwksUri: string,
    options?: { refresh?: boolean },
  ): Promise<Result<ClientJwks & { digest: string }, FetchClientJwksReason>>;
};

/** Documents kept; beyond it the one unused for longest goes, and is simply fetched again. */
const MAX_KEPT_DOCUMENTS = 500;
const MAX_JWKS_BYTES = 64 * 1024;

/**
 * Fetches and judges the documents clients publish about themselves, through the guarded door of `http`.
 * `allowLoopback` is the development setting and must match the one `http` was made with.
 */
export function createClientDocuments(settings: {
  http: RemoteHttp;
  policy: ClientMetadataPolicy;
  allowLoopback?: boolean;
  clock?: Clock;
}): ClientDocuments {
  const clock = settings.clock ?? systemClock;
  const allowLoopback = settings.allowLoopback === true;
  const kept = new Map<string, RemoteDocument>();
  const inFlight = new Map<string, Promise<Result<RemoteDocument, Unavailable>>>();

  async function document(
    url: string,
    maxBytes: number,
    refresh: boolean,
  ): Promise<Result<RemoteDocument, Unavailable>> {
    const known = kept.get(url);
    if (known !== undefined && !refresh && known.freshUntil > clock.now()) {
      kept.delete(url);
      kept.set(url, known);
      return ok(known);
    }
    const shared = inFlight.get(url);
    if (shared !== undefined) return await shared;
    const fetching = settings.http.fetchDocument(url, { maxBytes }).finally(() => inFlight.delete(url));
    inFlight.set(url, fetching);
    return await fetching;
  }

  /** Only documents that passed every check are kept: a broken one is asked for again next time. */
  function keep(document: RemoteDocument): void {
    kept.delete(document.url);
    kept.set(document.url, document);
    const oldest = kept.keys().next();
    if (kept.size > MAX_KEPT_DOCUMENTS && !oldest.done) kept.delete(oldest.value);
  }

  return {
    async clientMetadata(clientId, options = {}) {
      const url = parseClientIdUrl(clientId, { allowLoopback });
      if (!url.ok) return err({ reason: 'url-invalid', problem: url.error });
      const fetched = await document(clientId, MAX_CLIENT_METADATA_DOCUMENT_BYTES, options.refresh === true);
      if (!fetched.ok) return fetched;
      const parsed = parseStrictJson(fetched.value.bytes, { maxBytes: MAX_CLIENT_METADATA_DOCUMENT_BYTES });
      if (!parsed.ok) return err({ reason: 'document-malformed', problem: parsed.error });
      const metadata = parseClientMetadataDocument(parsed.value, clientId, {
        ...settings.policy,
        allowLoopbackDocuments: allowLoopback,
      });
      if (!metadata.ok) return err({ reason: 'document-invalid', problem: metadata.error });
      keep(fetched.value);
      const { bytes, digest, fetchedAt, freshUntil } = fetched.value;
      const text = new TextDecoder().decode(bytes);
      return ok({ clientId, metadata: metadata.value, digest, text, fetchedAt, freshUntil });
    },

    async clientJwks(jwksUri, options = {}) {
      const url = parseDocumentUrl(jwksUri, { allowLoopback });
      if (!url.ok) return err({ reason: 'url-invalid', problem: url.error });
      const fetched = await document(jwksUri, MAX_JWKS_BYTES, options.refresh === true);
      if (!fetched.ok) return fetched;
      const parsed = parseStrictJson(fetched.value.bytes, { maxBytes: MAX_JWKS_BYTES });
      if (!parsed.ok) return err({ reason: 'document-malformed', problem: parsed.error });
      const jwks = parseClientJwks(parsed.value);
      if (!jwks.ok) return err({ reason: 'jwks-invalid', problem: jwks.error });
      keep(fetched.value);
      return ok({ ...jwks.value, digest: fetched.value.digest });
    },
  };
}
