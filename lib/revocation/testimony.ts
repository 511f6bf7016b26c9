import { followsRecord, recordDigest } from '#guard/gate-side.ts';
import type { Ack, Report, ReportRecord } from '#guard/protocol.ts';
import { listAdminIds } from '#lib/access/roles.ts';
import { notify } from '#lib/audit/notify.ts';
import { insertEvents, toEventRow } from '#lib/audit/record.ts';
import { recordUses } from '#lib/credentials/last-seen.ts';
import { addSeconds } from '#lib/platform/clock.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { notifyChange, type Tx, withTransaction } from '#lib/platform/db.ts';
import { closeReceipts } from './receipt.ts';

/**
 * What a guard says it has applied and refused. Testimony of that guard about its own servers: nothing about others
 * is taken from it. A guard that has seen more than this database holds means a restored backup: issuance stops.
 *
 * @anonymous The guard is known by the signature its statement carries, which the caller has verified.
 */
export async function acceptAck(
  ctx: Ctx,
  guard: { id: string; name: string; serverIds: readonly string[] },
  ack: Ack,
): Promise<void> {
  const own = new Set(guard.serverIds);
  const applied = ack.applied.filter((line) => own.has(line.serverId));
  const refusals = ack.refusals.filter((line) => own.has(line.serverId));
  const closable = await withTransaction(ctx, async (tx) => {
    const now = ctx.clock.now();
    const touched = new Set<string>();
    const row = await tx.guard.findUnique({ where: { id: guard.id }, select: { lastAcks: true } });
    const acks = { ...((row?.lastAcks ?? {}) as Record<string, number>) };
    for (const line of applied) {
      const before = acks[line.serverId] ?? 0;
      acks[line.serverId] = Math.max(before, line.sequence);
      const covered = await tx.$queryRaw<{ revocationId: string; committedAt: Date }[]>`
        SELECT DISTINCT revocation_id AS "revocationId", committed_at AS "committedAt" FROM feed_entry
         WHERE server_id = ${line.serverId} AND sequence > ${before} AND sequence <= ${line.sequence}
           AND revocation_id IS NOT NULL`;
      for (const { revocationId, committedAt } of covered) {
        // A guard's clock may run ahead of what it acknowledges; never show an answer before its question.
        const appliedAt = new Date(Math.max(line.appliedAtMs, committedAt.getTime()));
        await acknowledge(tx, ctx, guard, revocationId, { acknowledgedAt: appliedAt });
        touched.add(revocationId);
      }
    }
    for (const line of refusals) {
      const entry = await tx.feedEntry.findUnique({
        where: { serverId_sequence: { serverId: line.serverId, sequence: BigInt(line.sequence) } },
        select: { revocationId: true },
      });
      if (!entry?.revocationId) continue;
      await acknowledge(tx, ctx, guard, entry.revocationId, {
        firstRefusedAt: line.firstRefusedAtMs === null ? null : new Date(line.firstRefusedAtMs),
        lastAcceptedAt: line.lastAcceptedAtMs === null ? null : new Date(line.lastAcceptedAtMs),
      });
      touched.add(entry.revocationId);
    }
    await tx.guard.update({ where: { id: guard.id }, data: { lastAcks: acks, lastSeenAt: now } });
    const ahead = ack.ahead.filter((line) => own.has(line.serverId));
    if (ahead.length > 0) await stopIssuance(tx, ctx, guard, ahead, ack.generation);
    for (const id of touched) await notifyChange(tx, 'revocations', id);
    return [...touched];
  });
  if (closable.length > 0) await closeReceipts(ctx, closable);
}

async function acknowledge(
  tx: Tx,
  ctx: Ctx,
  guard: { id: string; name: string },
  revocationId: string,
  facts: { acknowledgedAt?: Date; firstRefusedAt?: Date | null; lastAcceptedAt?: Date | null },
): Promise<void> {
  const key = { revocationId_guardId: { revocationId, guardId: guard.id } };
  const known = await tx.revocationAck.findUnique({ where: key });
  const next = {
    acknowledgedAt: known?.acknowledgedAt ?? facts.acknowledgedAt ?? null,
    firstRefusedAt: known?.firstRefusedAt ?? facts.firstRefusedAt ?? null,
    lastAcceptedAt: facts.lastAcceptedAt ?? known?.lastAcceptedAt ?? null,
  };
  await tx.revocationAck.upsert({
    where: key,
    create: { revocationId, guardId: guard.id, ...next },
    update: next,
  });
  if (!known?.acknowledgedAt && next.acknowledgedAt) {
    const row = toEventRow(
      { ...ctx, actor: { kind: 'guard', guardId: guard.id, name: guard.name } },
      {
        kind: 'revocation.ack',
        subjectId: revocationId,
        data: { acknowledgedAt: next.acknowledgedAt.toISOString() },
      },
    );
    await tx.$executeRawUnsafe(insertEvents('$1'), JSON.stringify([row]));
  }
}

/**
 * What a guard was offered in a generation that has ended since says nothing about this history: an admin has
 * acknowledged it meanwhile.
 */
async function stopIssuance(
  tx: Tx,
  ctx: Ctx,
  guard: { id: string; name: string },
  ahead: Ack['ahead'],
  guardGeneration: number,
): Promise<void> {
  const reason = `The guard ${guard.name} has seen a newer history than this database holds. A backup was restored over it.`;
  const offered = Math.max(...ahead.map((line) => line.generation));
  const { count } = await tx.installation.updateMany({
    where: { id: 1, issuanceStoppedAt: null, feedGeneration: { lte: Math.min(offered, 2 ** 31 - 1) } },
    data: { issuanceStoppedReason: reason, issuanceStoppedAt: ctx.clock.now() },
  });
  if (count === 0) return;
  const row = toEventRow(
    { ...ctx, actor: { kind: 'guard', guardId: guard.id, name: guard.name } },
    {
      kind: 'installation.issuance_stop',
      subjectId: 'installation',
      reason,
      data: { ahead, guardGeneration },
    },
  );
  await tx.$executeRawUnsafe(insertEvents('$1'), JSON.stringify([row]));
  await notifyChange(tx, 'issuance', 'installation');
  await notify(tx, ctx, {
    personIds: await listAdminIds(tx, ctx),
    kind: 'installation.issuance_stop',
    title: 'Issuance has stopped: a guard has seen a newer history',
    body: `${reason} Nothing is issued until what was ended since the backup has been ended again and an admin resumes issuance.`,
    href: `/audit/${row.id}`,
  });
}

/**
 * Stores the records of a report that follow what is already stored, each as an event observed by that guard.
 * Records sent twice are taken once. A gap or a broken chain is stored as a finding and the report still taken: what
 * is missing is the fact worth knowing. Returns the number up to which everything is durable.
 *
 * @anonymous The guard is known by the signature its statement carries, which the caller has verified.
 */
export async function acceptReport(
  ctx: Ctx,
  guard: { id: string; name: string; serverIds: readonly string[] },
  report: Report,
): Promise<{ acceptedThrough: number }> {
  const guardCtx = { ...ctx, actor: { kind: 'guard', guardId: guard.id, name: guard.name } as const };
  return withTransaction(ctx, async (tx) => {
    const [row] = await tx.$queryRaw<{ number: bigint; hash: string }[]>`
      SELECT last_report_number AS number, last_report_hash AS hash FROM guard WHERE id = ${guard.id} FOR UPDATE`;
    let last = row && row.number > 0n ? { number: Number(row.number), digest: row.hash } : null;
    const rows = [];
    const issues = await issueEventsOf(tx, report.records);
    for (const record of report.records) {
      if (last && record.number <= last.number) continue;
      if (!followsRecord(record, last)) {
        rows.push(
          toEventRow(guardCtx, {
            kind: 'guard.gap',
            subjectId: guard.id,
            data: {
              after: last?.number ?? 0,
              next: record.number,
              chainHolds: record.number !== (last?.number ?? 0) + 1,
            },
          }),
        );
      }
      const event = eventOf(record, guard);
      const issued = record.kind === 'call' && record.tokenId ? issues.get(record.tokenId) : undefined;
      rows.push(toEventRow(guardCtx, issued ? { ...event, parentIds: [issued] } : event));
      last = { number: record.number, digest: recordDigest(record) };
    }
    const broken =
      rows.some((each) => each.kind === 'guard.gap') && (await isFirstGapThisHour(tx, ctx, guard.id));
    if (rows.length > 0) await tx.$executeRawUnsafe(insertEvents('$1'), JSON.stringify(rows));
    if (broken) await tellOfGap(tx, ctx, guard);
    if (last) {
      await tx.guard.update({
        where: { id: guard.id },
        data: {
          lastReportNumber: last.number,
          lastReportHash: last.digest,
          lastSeenAt: ctx.clock.now(),
          ...versionIn(report.records),
        },
      });
      await markUsed(tx, report.records);
      await recordUses(tx, guardCtx, guard.serverIds, usesIn(report.records));
    }
    return { acceptedThrough: last?.number ?? 0 };
  });
}

/** A guard out of step may send one gap after the other; the first of an hour is news. */
async function isFirstGapThisHour(tx: Tx, ctx: Ctx, guardId: string): Promise<boolean> {
  const since = addSeconds(ctx.clock.now(), -3_600);
  return (
    (await tx.auditEvent.count({ where: { subjectId: guardId, kind: 'guard.gap', at: { gt: since } } })) === 0
  );
}

async function tellOfGap(tx: Tx, ctx: Ctx, guard: { id: string; name: string }): Promise<void> {
  await notify(tx, ctx, {
    personIds: await listAdminIds(tx, ctx),
    kind: 'guard.gap',
    title: `Reports of the guard ${guard.name} are missing`,
    body: 'What it reported does not follow from what came before: reports were lost on its disk, or somebody altered them. Look at its page, and at its host.',
    href: `/guards/${guard.id}`,
  });
}

/** The software a guard says it runs, said at each of its starts: it may have been updated since it enrolled. */
function versionIn(records: readonly ReportRecord[]): { version?: string } {
  const started = records.findLast((record) => record.kind === 'condition' && record.condition === 'started');
  if (started?.kind !== 'condition' || !started.detail) return {};
  return { version: started.detail.slice(0, 64) };
}

/** The event each token in these records was issued by, so that a call's chain leads back to its approval. */
async function issueEventsOf(tx: Tx, records: readonly ReportRecord[]): Promise<Map<string, string>> {
  const tokenIds = records.flatMap((record) =>
    record.kind === 'call' && record.tokenId ? [record.tokenId] : [],
  );
  if (tokenIds.length === 0) return new Map();
  const rows = await tx.$queryRaw<{ id: string; tokenId: string }[]>`
    SELECT id, subject_id AS "tokenId" FROM audit_event
     WHERE subject_id = ANY (${[...new Set(tokenIds)]}) AND kind IN ('credential.issue', 'credential.reveal')`;
  return new Map(rows.map((row) => [row.tokenId, row.id]));
}

function eventOf(record: ReportRecord, guard: { id: string; serverIds: readonly string[] }) {
  // A guard speaks about its own servers only; a record about another one is kept without the claim.
  const serverId =
    'serverId' in record && record.serverId && guard.serverIds.includes(record.serverId)
      ? record.serverId
      : null;
  const { kind, number, previous: _previous, ...facts } = record;
  const data = JSON.parse(JSON.stringify({ ...facts, record: number, recordKind: kind }));
  if (record.kind === 'call') {
    return {
      kind: 'guard.call' as const,
      subjectId: record.evaluationId,
      outcome: record.outcome === 'accepted' ? ('done' as const) : ('refused' as const),
      serverId,
      agentId: record.agentId ?? null,
      clientId: record.clientId ?? null,
      tool: record.target ?? null,
      reason: record.reasons[0] ?? '',
      data,
    };
  }
  if (record.kind === 'anonymous') {
    return {
      kind: 'refusal.anonymous' as const,
      subjectId: guard.id,
      outcome: 'refused' as const,
      serverId,
      reason: record.reason,
      data,
    };
  }
  return { kind: 'guard.report' as const, subjectId: guard.id, serverId, data };
}

function usesIn(records: readonly ReportRecord[]) {
  return records.flatMap((record) =>
    record.kind === 'call' && record.outcome === 'accepted' && record.tokenId
      ? [
          {
            credentialId: record.tokenId,
            at: new Date(record.atMs),
            keyId: record.keyId ?? null,
            serverId: record.serverId,
          },
        ]
      : [],
  );
}

async function markUsed(tx: Tx, records: readonly ReportRecord[]): Promise<void> {
  const lastUse = new Map<string, number>();
  for (const record of records) {
    if (record.kind !== 'call' || record.outcome !== 'accepted' || !record.agentId) continue;
    lastUse.set(record.agentId, Math.max(lastUse.get(record.agentId) ?? 0, record.atMs));
  }
  for (const [agentId, atMs] of lastUse) {
    await tx.$executeRaw`UPDATE agent SET last_used_at = GREATEST(last_used_at, ${new Date(atMs)}) WHERE id = ${agentId}`;
  }
}
