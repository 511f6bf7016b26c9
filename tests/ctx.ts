import { randomBytes } from 'node:crypto';
import { type Actor, type PersonActor, type Role, systemActor } from '#lib/platform/actor.ts';
import type { Clock } from '#lib/platform/clock.ts';
import { openVault } from '#lib/platform/crypto.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import type { Db } from '#lib/platform/db.ts';

/** A clock that stands still until moved. Starts on a fixed instant, so that failures read the same on every run. */
export class TestClock implements Clock {
  #at: Date;
  #monotonicMs = 0;

  constructor(at = '2026-03-02T09:00:00.000Z') {
    this.#at = new Date(at);
  }

  now(): Date {
    return new Date(this.#at);
  }

  monotonicMs(): number {
    return this.#monotonicMs;
  }

  advanceSeconds(seconds: number): void {
    this.#at = new Date(this.#at.getTime() + seconds * 1000);
    this.#monotonicMs += seconds * 1000;
  }
}

/** Stands for the moment a context is made: whoever acts in it has just proved who they are. */
export const justNow = new Date(0);

const vault = openVault(randomBytes(32));

/** A context for calling verbs directly. The actor is the system unless given; time stands still unless given. */
export function testCtx(db: Db, actor: Actor = systemActor('test'), overrides: Partial<Ctx> = {}): Ctx {
  const clock = overrides.clock ?? new TestClock();
  return {
    actor:
      actor.kind === 'person' && actor.elevatedAt === justNow ? { ...actor, elevatedAt: clock.now() } : actor,
    db,
    clock,
    vault,
    site: {
      issuer: 'http://localhost:3000',
      consoleOrigin: 'http://countersign.localhost:3000',
      environment: 'sandbox',
      demo: false,
    },
    traceId: 'trc_test',
    address: '127.0.0.1',
    userAgent: 'test',
    ...overrides,
  };
}

/** A signed-in person as verbs see them. The row in `person` is the caller's to make where a verb reads it. */
export function personActor(
  personId: string,
  roles: readonly Role[],
  overrides: Partial<PersonActor> = {},
): PersonActor {
  return {
    kind: 'person',
    personId,
    subject: `local:${personId}`,
    displayName: personId,
    roles,
    via: 'session',
    sessionId: `ses_${personId}`,
    authnAt: new Date('2026-03-02T08:59:00.000Z'),
    elevatedAt: justNow,
    ...overrides,
  };
}
