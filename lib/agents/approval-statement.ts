import { canonicalJson } from '#lib/platform/canonical-json.ts';

/** What an approver signs: this decision, on this revision of this request, granting exactly what the digest is over. */
export type ApprovalStatement = {
  decision: 'approve';
  /** Digest of the snapshot as granted, after narrowing. */
  grantedDigest: string;
  requestId: string;
  revision: number;
};

/** The one text of a statement (RFC 8785); its SHA-256 is a passkey's challenge, its bytes a JWS's payload. */
export function statementText({ decision, grantedDigest, requestId, revision }: ApprovalStatement): string {
  return canonicalJson({ decision, grantedDigest, requestId, revision });
}
