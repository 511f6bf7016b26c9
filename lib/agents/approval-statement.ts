import { canonicalJson } from '#lib/platform/canonical-json.ts';
import type { SnapshotTool } from './snapshot.ts';

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

/** Whether granting these tools takes a signature: anything but reading does, and so does what nobody has classified. */
export function needsSignature(tools: readonly Pick<SnapshotTool, 'class'>[]): boolean {
  return tools.some((tool) => tool.class !== 'read');
}
