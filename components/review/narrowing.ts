import { toLifetimeDraft } from '#components/requests/lifetime-field.tsx';
import { needsSignature } from '#lib/agents/risk.ts';
import type { Constraint } from '#lib/agents/snapshot.ts';
import type { Review } from '#lib/approvals/views.ts';

/** What an approver takes away from a request before approving it. */
export type Narrowing = {
  dropped: ReadonlySet<string>;
  limits: Readonly<Record<string, readonly Constraint[]>>;
  lifetime: ReturnType<typeof toLifetimeDraft>;
};

export const noNarrowing = (review: Review): Narrowing => ({
  dropped: new Set(),
  limits: {},
  lifetime: toLifetimeDraft(review.proposed.lifetimeSeconds),
});

/** What an approval would grant as it is chosen now. */
export type Choice = {
  kept: Review['toolLines'];
  seconds: number;
  /** Whether it is less than what is proposed. */
  narrowed: boolean;
  /** Why it cannot be approved like this, although the reader may decide. */
  blocked: string | null;
  /** Whether it grants more than reading, which is signed. */
  needsSignature: boolean;
  /** It is blocked for want of something to sign with. */
  needsPasskey: boolean;
};

export function toChoice(review: Review, narrowing: Narrowing): Choice {
  const proposed = new Set(review.proposed.tools.map((tool) => tool.toolId));
  const kept = review.toolLines.filter(
    (tool) => proposed.has(tool.toolId) && !narrowing.dropped.has(tool.toolId),
  );
  const limited = kept.some((tool) => (narrowing.limits[tool.toolId] ?? []).length > 0);
  const seconds = narrowing.lifetime.seconds ?? 0;
  const signs = needsSignature(kept);
  const needsPasskey = signs && review.signsWith === null;
  return {
    kept,
    seconds,
    narrowed: kept.length < proposed.size || limited || seconds < review.proposed.lifetimeSeconds,
    blocked: blockedReason(review, kept, seconds, narrowing) ?? (needsPasskey ? withoutPasskey : null),
    needsSignature: signs,
    needsPasskey,
  };
}

/** The choice as the verb takes it; nothing where it is approved as asked. */
export function toGrant(review: Review, narrowing: Narrowing, { kept, seconds, narrowed }: Choice) {
  if (!narrowed) return {};
  const proposed = new Map(review.proposed.tools.map((tool) => [tool.toolId, tool.constraints]));
  return {
    toolLines: kept.map((tool) => ({
      toolId: tool.toolId,
      constraints: [...(proposed.get(tool.toolId) ?? []), ...(narrowing.limits[tool.toolId] ?? [])],
    })),
    lifetimeSeconds: seconds,
  };
}

const withoutPasskey = 'This grants more than reading, so you sign it. You have no passkey yet.';

function blockedReason(
  review: Review,
  kept: readonly Review['toolLines'][number][],
  seconds: number,
  narrowing: Narrowing,
): string | null {
  if (kept.length === 0) return 'Keep at least one tool, or reject the request.';
  if (narrowing.lifetime.seconds === null || seconds < 60) return 'Choose a lifetime of at least a minute.';
  if (seconds > review.proposed.lifetimeSeconds) return 'The lifetime is longer than asked.';
  const refused = kept.filter((tool) => tool.verdict.outcome === 'deny');
  if (refused.length > 0)
    return `Policy refuses ${refused.map((tool) => tool.name).join(', ')}. Leave it out.`;
  const staleClient = review.stale.find((fact) => fact.what === 'client');
  if (staleClient) return `${staleClient.text}. Ask the owner for a new revision.`;
  const stale = kept.filter((tool) => review.stale.some((fact) => fact.id === tool.toolId));
  if (stale.length > 0 && review.kind !== 'reinstate') {
    return `${stale.map((tool) => tool.name).join(', ')} changed since this was written. Leave it out, or ask for a new revision.`;
  }
  return null;
}
