/**
 * A fact about where a client comes from, and how it is known: proved by cryptography or control of a name, observed
 * by us, claimed by the client itself, or contradicted by another fact.
 */
export type EvidenceStatus = 'proved' | 'observed' | 'claimed' | 'contradicted';

export type EvidenceKind =
  | 'source'
  | 'registered from'
  | 'opened from'
  | 'claimed from'
  | 'device'
  | 'network agreement'
  | 'metadata document'
  | 'redirect'
  | 'client name'
  | 'name resemblance'
  | 'name text'
  | 'software'
  | 'client page'
  | 'user agent'
  | 'key'
  | 'other owner'
  | 'earlier refusal'
  | 'contents changed';

/** Flat on purpose: strings, whole numbers, booleans and lists of strings have one canonical form. */
export type EvidenceValue = { [name: string]: string | number | boolean | string[] };

export type EvidenceFact = {
  kind: EvidenceKind;
  status: EvidenceStatus;
  value: EvidenceValue;
  /** How it was established, in words a reviewer reads. */
  method: string;
  establishedAt: Date;
  /** SHA-256 of the raw proof (a metadata document's bytes), when there is one. */
  proofDigest: string | null;
};

/** Contradictions first, then what is proved, then what we saw, then what was only said. */
const order: readonly EvidenceStatus[] = ['contradicted', 'proved', 'observed', 'claimed'];

export function sortFacts<Fact extends { status: string }>(facts: readonly Fact[]): Fact[] {
  const rank = (fact: Fact) => order.indexOf(fact.status as EvidenceStatus);
  return [...facts].sort((left, right) => rank(left) - rank(right));
}

/** The facts as a snapshot holds them: no instants, so that opening a page twice yields the same digest. */
export function toSnapshotEvidence(facts: readonly EvidenceFact[]) {
  return sortFacts(facts).map(({ kind, status, value, method }) => ({ kind, status, value, method }));
}
