import type { Ctx } from '#lib/platform/ctx.ts';
import { Invalid, NotFound } from '#lib/platform/errors.ts';
import {
  consistencyProof,
  inclusionProof,
  leafHashOf,
  nodesAskedBy,
  rootOf,
  verifyInclusion,
} from './merkle.ts';
import { readNodes } from './sequencer.ts';

export type SignedHead = { size: number; root: string; note: string; signedAt: Date };

/** The newest signed head of the log, or null before the first event was ordered. */
export async function latestCheckpoint(ctx: Pick<Ctx, 'db'>): Promise<SignedHead | null> {
  const { rows } = await ctx.db.hot.query<{ size: string; root_hash: Buffer; note: string; signed_at: Date }>(
    // Ordered by the column: an output name would be found first, and that is text.
    'SELECT c.size::text, c.root_hash, c.note, c.signed_at FROM audit_checkpoint c ORDER BY c.size DESC LIMIT 1',
  );
  const row = rows[0];
  return row
    ? {
        size: Number(row.size),
        root: row.root_hash.toString('base64'),
        note: row.note,
        signedAt: row.signed_at,
      }
    : null;
}

export type InclusionProof = {
  eventId: string;
  index: number;
  size: number;
  leafHash: string;
  root: string;
  proof: string[];
};

const encode = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64');

/**
 * That an event is in the log as it was at `size` (RFC 6962 §2.1.1), the newest signed head unless told otherwise.
 * Throws `NotFound` for an event without a position, `Invalid` for a size that does not hold it.
 */
export async function proveInclusion(
  ctx: Pick<Ctx, 'db'>,
  eventId: string,
  size?: number,
): Promise<InclusionProof> {
  const { rows } = await ctx.db.hot.query<{ sequence: string; leaf_hash: Buffer; largest: string | null }>(
    `SELECT sequence::text, leaf_hash, (SELECT max(size)::text FROM audit_checkpoint) AS largest
       FROM audit_leaf WHERE event_id = $1`,
    [eventId],
  );
  const row = rows[0];
  if (!row) throw new NotFound('This event has no position in the log yet.');
  const index = Number(row.sequence);
  const largest = Number(row.largest ?? 0);
  const treeSize = size ?? largest;
  if (treeSize <= index || treeSize > largest) {
    throw new Invalid(`Choose a size between ${index + 1} and ${largest}.`, {
      issues: [{ path: 'size', message: `must be between ${index + 1} and ${largest}` }],
    });
  }
  const wanted = nodesAskedBy((at) => [inclusionProof(index, treeSize, at), rootOf(treeSize, at)]);
  const nodes = await readNodes(ctx.db.hot, wanted);
  const nodeAt = (level: number, at: number) => nodes.get(`${level}/${at}`) as Uint8Array;
  return {
    eventId,
    index,
    size: treeSize,
    leafHash: encode(row.leaf_hash),
    root: encode(rootOf(treeSize, nodeAt)),
    proof: inclusionProof(index, treeSize, nodeAt).map(encode),
  };
}

/** That the log at size `first` is a prefix of the log at size `second` (RFC 6962 §2.1.2). */
export async function proveConsistency(ctx: Pick<Ctx, 'db'>, first: number, second: number) {
  const largest = (await latestCheckpoint(ctx))?.size ?? 0;
  if (!(first >= 1 && first <= second && second <= largest)) {
    throw new Invalid(`Choose sizes with 1 ≤ first ≤ second ≤ ${largest}.`, {
      issues: [{ path: 'second', message: `must be between first and ${largest}` }],
    });
  }
  const wanted = nodesAskedBy((at) => [
    consistencyProof(first, second, at),
    rootOf(first, at),
    rootOf(second, at),
  ]);
  const nodes = await readNodes(ctx.db.hot, wanted);
  const nodeAt = (level: number, at: number) => nodes.get(`${level}/${at}`) as Uint8Array;
  return {
    first,
    second,
    firstRoot: encode(rootOf(first, nodeAt)),
    secondRoot: encode(rootOf(second, nodeAt)),
    proof: consistencyProof(first, second, nodeAt).map(encode),
  };
}

/** Where an event stands in the log, checked from its digest up to a signed head at this moment. */
export type Inclusion =
  | { status: 'waiting' }
  | { status: 'included'; index: number; size: number; signedAt: Date }
  | { status: 'broken'; index: number; problem: string };

/** Recomputes the path of one event from `digest`, which must have been computed from its columns just now. */
export async function checkInclusion(
  ctx: Pick<Ctx, 'db'>,
  eventId: string,
  digest: { stored: string; computed: string },
  looks = 3,
): Promise<Inclusion> {
  let proof: InclusionProof;
  try {
    proof = await proveInclusion(ctx, eventId);
  } catch (error) {
    if (error instanceof NotFound || error instanceof Invalid) return { status: 'waiting' };
    throw error;
  }
  const { index, size } = proof;
  if (digest.stored !== digest.computed) {
    return {
      status: 'broken',
      index,
      problem: 'The columns of this event do not have the digest stored with it.',
    };
  }
  const head = await latestCheckpoint(ctx);
  const holds =
    head !== null &&
    head.size === size &&
    verifyInclusion({
      leafHash: leafHashOf(Buffer.from(digest.computed, 'base64url')),
      index,
      size,
      proof: proof.proof.map((hash) => Buffer.from(hash, 'base64')),
      root: Buffer.from(head.root, 'base64'),
    });
  // A head signed between the two reads is no contradiction: look again.
  if (!holds && head && head.size !== size && looks > 1) {
    return checkInclusion(ctx, eventId, digest, looks - 1);
  }
  return holds
    ? { status: 'included', index, size, signedAt: head.signedAt }
    : { status: 'broken', index, problem: 'The path from this event does not lead to the signed head.' };
}
