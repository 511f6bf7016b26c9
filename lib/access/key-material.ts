import { leafHashOf } from '#lib/audit/merkle.ts';
import type { EventRow } from '#lib/audit/record.ts';
import { digestOfRow } from '#lib/audit/verify.ts';
import { digestOf } from '#lib/platform/canonical-json.ts';

export type KeyKind = 'passkey' | 'command line';

/** A stored key as whoever checks a signature reads it. */
export type StoredKey = {
  id: string;
  personId: string;
  kind: string;
  credentialId: string;
  publicKey: string;
  rpId: string;
  origin: string;
  eventId: string;
};

/** Digest of what a key is and whose: named by the event of its enrolment, and compared whenever it signs. */
export function keyDigestOf(key: Omit<StoredKey, 'eventId'>): string {
  const { id, personId, kind, credentialId, publicKey, rpId, origin } = key;
  return digestOf({ id, personId, kind, credentialId, publicKey, rpId, origin });
}

type Queries = { $queryRawUnsafe<T>(sql: string, ...values: unknown[]): Promise<T> };

/**
 * When this key was enrolled by the history, or null when history knows of no such key: the event must exist with the
 * digest its columns have, be about this person's very key, and stand in the log as it is, unless the sequencer has not
 * come that far yet. A row written or altered by hand in the database has no such event; whoever adds the event as well
 * has told everybody.
 */
export async function enrolledAt(db: Queries, key: StoredKey): Promise<Date | null> {
  const rows = await db.$queryRawUnsafe<
    { event: EventRow; leaf_hash: Uint8Array | null; settled: boolean }[]
  >(
    `SELECT to_jsonb(e) - 'words' - 'arrival' AS event, l.leaf_hash,
            e.arrival <= coalesce((SELECT f.settled FROM sequencer_fence f WHERE f.id = 1), 0) AS settled
       FROM audit_event e LEFT JOIN audit_leaf l ON l.event_id = e.id
      WHERE e.id = $1`,
    key.eventId,
  );
  const [row] = rows;
  if (!row) return null;
  const { event } = row;
  if (event.kind !== 'person_key.add' || event.outcome !== 'done' || event.subject_id !== key.id) return null;
  if (event.data.personId !== key.personId || event.data.keyDigest !== keyDigestOf(key)) return null;
  if (digestOfRow(event) !== event.digest) return null;
  if (row.leaf_hash === null) return row.settled ? null : new Date(event.at);
  const leaf = leafHashOf(Buffer.from(event.digest, 'base64url'));
  return leaf.equals(row.leaf_hash) ? new Date(event.at) : null;
}
