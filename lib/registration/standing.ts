/**
 * Where one person stands with one client, and so what the sign-in page shows. A client itself is only known or
 * forgotten; everything else is a fact of the instance, its agent and its latest request.
 */
export type Standing =
  /** Nobody has asked for it on behalf of this person: the claim form. */
  | 'unclaimed'
  /** A request waits for a decision, or for its owner to change it. */
  | 'pending'
  | 'changes requested'
  /** May go on: the claiming transaction by itself, any later one by the Continue button. */
  | 'approved'
  /** Approved, but for other servers than the one this sign-in is for. */
  | 'approved elsewhere'
  | 'rejected'
  | 'withdrawn'
  | 'request expired'
  | 'suspended'
  | 'revoked'
  /** The approval, or the agent, has run out. */
  | 'expired'
  /** The metadata document is no longer the one that was approved. */
  | 'metadata changed'
  /** Nobody claimed it in time; its person can still ask. */
  | 'quarantine ended'
  /** Held by somebody who has left. */
  | 'owner disabled';

export type StandingFacts = {
  instance: { state: string } | null;
  agent: { state: string } | null;
  request: { state: string } | null;
  /** The state of a living or refused instance of the same software and owner, when this client has none. */
  inherited: { state: string; requestState: string | null } | null;
  /** A binding of the agent for the server this sign-in is for: live, run out, or none. */
  binding: 'live' | 'ended' | 'none';
  metadataChanged: boolean;
  quarantineEnded: boolean;
  heldByDisabledOwner: boolean;
};

/** The standing those facts add up to. Refusals are inherited by a re-registration, approvals never. */
export function standingOf(facts: StandingFacts): Standing {
  const { instance } = facts;
  if (!instance) {
    if (facts.inherited?.state === 'suspended') return 'suspended';
    if (facts.inherited?.state === 'rejected') return refusedBy(facts.inherited.requestState);
    if (facts.heldByDisabledOwner) return 'owner disabled';
    return facts.quarantineEnded ? 'quarantine ended' : 'unclaimed';
  }
  switch (instance.state) {
    case 'quarantined':
      if (facts.request?.state === 'changes requested') return 'changes requested';
      if (facts.request?.state === 'rejected' || facts.request?.state === 'withdrawn')
        return refusedBy(facts.request.state);
      return facts.request?.state === 'expired' ? 'request expired' : 'pending';
    case 'rejected':
      return refusedBy(facts.request?.state ?? null);
    case 'suspended':
      return facts.metadataChanged ? 'metadata changed' : 'suspended';
    case 'revoked':
      return 'revoked';
    case 'expired':
      return 'expired';
    default:
      return activeStanding(facts);
  }
}

function refusedBy(requestState: string | null): Standing {
  if (requestState === 'withdrawn') return 'withdrawn';
  return requestState === 'expired' ? 'request expired' : 'rejected';
}

function activeStanding(facts: StandingFacts): Standing {
  switch (facts.agent?.state) {
    case 'suspended':
      return 'suspended';
    case 'revoked':
      return 'revoked';
    case 'expired':
      return 'expired';
    case 'active':
      break;
    default:
      return 'pending';
  }
  if (facts.metadataChanged) return 'metadata changed';
  if (facts.binding === 'live') return 'approved';
  return facts.binding === 'ended' ? 'expired' : 'approved elsewhere';
}

/** Standings in which the owner may ask (again) with a claim. Suspension is left by reinstating, never by asking anew. */
export const claimableStandings: ReadonlySet<Standing> = new Set<Standing>([
  'unclaimed',
  'rejected',
  'withdrawn',
  'request expired',
  'revoked',
  'expired',
  'metadata changed',
  'quarantine ended',
  'owner disabled',
]);
