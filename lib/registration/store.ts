import { insertEvents, toEventRow } from '#lib/audit/record.ts';
import { systemActor } from '#lib/platform/actor.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import type { Db, Tx } from '#lib/platform/db.ts';

export const intakeSourceId = 'src_intake';

/** Unclaimed registrations by the network they came from. */
export async function countUnclaimed(db: Db): Promise<Map<string, number>> {
  const { rows } = await db.hot.query<{ source_prefix: string; count: number }>(
    `SELECT source_prefix, count(*)::int AS count FROM client
      WHERE claimed_at IS NULL AND forgotten_at IS NULL GROUP BY source_prefix`,
  );
  return new Map(rows.map((row) => [row.source_prefix, row.count]));
}

/**
 * Ends the oldest registrations of one network that nobody has claimed, to make room for others, and says so in one
 * event. Their metadata goes with them: what stays is the id, so that its client is told to register again.
 * Claimed clients, and those of other networks, are never touched.
 */
export async function evictUnclaimed(ctx: Ctx, sourcePrefix: string, count: number): Promise<number> {
  const { rows } = await ctx.db.hot.query<{ id: string }>(
    `UPDATE client SET forgotten_at = $3, forgotten_cause = 'evicted', metadata = '{}', redirect_uris = '{}', jwks = NULL,
            secret_digest = NULL, registration_token_digest = NULL, user_agent = NULL
      WHERE id IN (SELECT id FROM client WHERE source_prefix = $1 AND claimed_at IS NULL AND forgotten_at IS NULL
                    ORDER BY registered_at LIMIT $2 FOR UPDATE SKIP LOCKED)
      RETURNING id`,
    [sourcePrefix, count, ctx.clock.now()],
  );
  if (rows.length > 0) {
    const event = toEventRow(
      { ...ctx, actor: systemActor('registration intake') },
      {
        kind: 'client.evict',
        subjectId: intakeSourceId,
        reason: 'noisy source',
        data: { sourcePrefix, count: rows.length, clientIds: rows.map((row) => row.id) },
      },
    );
    await ctx.db.hot.query(insertEvents('$1'), [JSON.stringify([event])]);
  }
  return rows.length;
}

export type IntakeSource = { id: string; name: string; custodian: string };

const sources = new WeakMap<Db, { source: IntakeSource; untilMs: number }>();

/**
 * The source anonymous registrations come through, and who answers for them until somebody claims them: its owner,
 * else the admins. Read once a minute.
 */
export async function intakeSource(ctx: Pick<Ctx, 'db' | 'clock'>): Promise<IntakeSource> {
  const cached = sources.get(ctx.db);
  if (cached && cached.untilMs > ctx.clock.monotonicMs()) return cached.source;
  const { rows } = await ctx.db.hot.query<{ id: string; name: string; custodian_id: string | null }>(
    'SELECT id, name, custodian_id FROM registration_source WHERE id = $1',
    [intakeSourceId],
  );
  const [row] = rows;
  const source = {
    id: intakeSourceId,
    name: row?.name ?? 'Intake',
    custodian: row?.custodian_id ?? 'role:admin',
  };
  sources.set(ctx.db, { source, untilMs: ctx.clock.monotonicMs() + 60_000 });
  return source;
}

/** The event that recorded the registration of a client, as parent of what follows from it. */
export async function findRegistrationEvent(
  db: Db | { prisma: Tx },
  clientId: string,
): Promise<string | null> {
  const event = await db.prisma.auditEvent.findFirst({
    where: { subjectId: clientId, kind: 'client.register' },
    select: { id: true },
    orderBy: { at: 'desc' },
  });
  return event?.id ?? null;
}
