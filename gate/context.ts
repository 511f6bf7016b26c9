import type { Logger } from 'pino';
import type { Actor } from '#lib/platform/actor.ts';
import { anonymous } from '#lib/platform/actor.ts';
import type { Clock } from '#lib/platform/clock.ts';
import type { Vault } from '#lib/platform/crypto.ts';
import type { Ctx, Site } from '#lib/platform/ctx.ts';
import type { Db } from '#lib/platform/db.ts';
import type { Config } from '#lib/platform/env.ts';
import { newId } from '#lib/platform/ids.ts';

/** What the gate process holds for its whole life; every request's context is made from it. */
export type Gate = {
  readonly config: Config;
  readonly site: Site;
  readonly db: Db;
  readonly vault: Vault;
  readonly clock: Clock;
  readonly log: Logger;
};

export type GateCtx = Ctx & { readonly vault: Vault };

export type Caller = {
  actor?: Actor;
  address?: string | null;
  userAgent?: string | null;
  traceId?: string;
};

export function ctxOf(gate: Gate, caller: Caller = {}): GateCtx {
  return {
    actor: caller.actor ?? anonymous,
    clock: gate.clock,
    db: gate.db,
    vault: gate.vault,
    site: gate.site,
    traceId: caller.traceId ?? newId('trace'),
    address: caller.address ?? null,
    userAgent: caller.userAgent ?? null,
  };
}
