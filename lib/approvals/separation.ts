import { err, ok, type Result } from '#lib/platform/result.ts';

/** Why one person may not decide one request. */
export type DecisionConflict =
  | { tag: 'wrote' }
  | { tag: 'edited' }
  | { tag: 'claimed' }
  | { tag: 'owns' }
  | { tag: 'owned' }
  | { tag: 'suspended' }
  | { tag: 'granted by requester'; name: string }
  | { tag: 'submitted before role' }
  | { tag: 'voted' };

/** Who had a hand in a request, by verified subject: two accounts of one person are one person. */
export type Involvement = {
  wroteSubject: string;
  editedSubjects: readonly string[];
  claimedSubjects: readonly string[];
  ownerSubject: string;
  /** Owners of the agent before, and of earlier requests about it. */
  formerOwnerSubjects: readonly string[];
  /** For a reinstatement: who suspended. */
  suspenderSubject: string | null;
  submittedAt: Date | null;
  /** Subjects that already voted on this revision. */
  votedSubjects: readonly string[];
};

/** The person who would decide, with the grants that make them an approver now. */
export type Decider = {
  subject: string;
  grants: readonly {
    effectiveAt: Date;
    /** Who granted and who confirmed, as subject and name; nobody for a role given on the host. */
    givenBy: readonly { subject: string; displayName: string }[];
  }[];
};

/**
 * Separation of duties, per person: nobody decides what they wrote, edited, claimed, own or owned, nor a
 * reinstatement of what they suspended, nor a request of whoever made them an approver, nor one that was already
 * waiting when they became one. With several grants one that is free of conflict is enough. Pure.
 */
export function checkSeparation(decider: Decider, request: Involvement): Result<true, DecisionConflict> {
  const { subject } = decider;
  if (subject === request.wroteSubject) return err({ tag: 'wrote' });
  if (request.editedSubjects.includes(subject)) return err({ tag: 'edited' });
  if (request.claimedSubjects.includes(subject)) return err({ tag: 'claimed' });
  if (subject === request.ownerSubject) return err({ tag: 'owns' });
  if (request.formerOwnerSubjects.includes(subject)) return err({ tag: 'owned' });
  if (subject === request.suspenderSubject) return err({ tag: 'suspended' });
  if (request.votedSubjects.includes(subject)) return err({ tag: 'voted' });

  const requesters = new Set([request.wroteSubject, request.ownerSubject]);
  const problems = decider.grants.map((grant): DecisionConflict | null => {
    const giver = grant.givenBy.find((each) => requesters.has(each.subject));
    if (giver) return { tag: 'granted by requester', name: giver.displayName };
    if (request.submittedAt && request.submittedAt < grant.effectiveAt) {
      return { tag: 'submitted before role' };
    }
    return null;
  });
  if (problems.includes(null)) return ok(true);
  return err(problems.find((problem) => problem !== null) ?? { tag: 'submitted before role' });
}

/** The conflict as the sentence shown where the buttons would be. */
export function describeConflict(conflict: DecisionConflict): string {
  switch (conflict.tag) {
    case 'wrote':
      return 'You wrote this request, so somebody else decides it.';
    case 'edited':
      return 'You edited this request, so somebody else decides it.';
    case 'claimed':
      return 'You claimed this client, so somebody else decides about it.';
    case 'owns':
      return 'You own this agent, so somebody else decides about it.';
    case 'owned':
      return 'You owned this agent before, so somebody else decides about it.';
    case 'suspended':
      return 'You suspended this agent, so somebody else decides whether it comes back.';
    case 'granted by requester':
      return `${conflict.name} made you an approver, so you cannot decide their requests.`;
    case 'submitted before role':
      return 'This was submitted before you became an approver, so somebody else decides it.';
    case 'voted':
      return 'You have already voted on this revision.';
  }
}
