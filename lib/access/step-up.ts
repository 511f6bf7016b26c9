import type { PersonActor } from '#lib/platform/actor.ts';
import { addSeconds } from '#lib/platform/clock.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { StepUpRequired } from '#lib/platform/errors.ts';
import { requireSession } from './require.ts';

/** How long a proof that it is really them counts for, in seconds. Longer, and a borrowed screen is enough. */
export const stepUpSeconds = 5 * 60;

/**
 * The person at this browser, who has proved within `maxAgeSeconds` that it is them. Throws `StepUpRequired` when the
 * proof is older or missing, and `Forbidden` for an API token, which can never give one.
 */
export function requireStepUp(
  ctx: Ctx,
  maxAgeSeconds: number = stepUpSeconds,
): PersonActor & { sessionId: string } {
  const person = requireSession(ctx);
  if (!isElevated(ctx, person, maxAgeSeconds)) throw new StepUpRequired();
  return person;
}

/** Whether the proof still counts. One from the future, after the clock was set back, does not. */
export function isElevated(
  ctx: Pick<Ctx, 'clock'>,
  person: Pick<PersonActor, 'elevatedAt'>,
  maxAgeSeconds: number = stepUpSeconds,
): boolean {
  const now = ctx.clock.now();
  const { elevatedAt } = person;
  return elevatedAt !== null && elevatedAt <= now && elevatedAt > addSeconds(now, -maxAgeSeconds);
}
