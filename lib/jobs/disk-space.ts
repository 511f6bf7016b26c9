import { requireRole, requireSystem } from '#lib/access/require.ts';
import { listAdminIds } from '#lib/access/roles.ts';
import { notify } from '#lib/audit/notify.ts';
import { recordEvent } from '#lib/audit/record.ts';
import { addSeconds } from '#lib/platform/clock.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { notifyChange, type Tx, withTransaction } from '#lib/platform/db.ts';

/** `low`: somebody should make room. `critical`: nobody unknown may register, so that what matters can be written. */
export type DiskState = 'ok' | 'low' | 'critical';
export const diskStates: readonly DiskState[] = ['ok', 'low', 'critical'];

/** A disk that stays low is told of again after this long, and a warning counts for this long, in seconds. */
export const renewSeconds = 30 * 60;
const warningSeconds = 3600;

export type DiskReport = { state: DiskState; freeBytes: number; folder: string; host: string };

/**
 * Puts into history that a host's disk ran low, stopped registrations or has room again, and tells every admin of a
 * change for the worse. Says nothing where history says the same already, unless that was a while ago: a warning that is
 * not renewed is of a host, or a container, that is gone. Only the installation itself.
 */
export async function reportDiskSpace(ctx: Ctx, report: DiskReport): Promise<{ changed: boolean }> {
  requireSystem(ctx);
  return withTransaction(ctx, async (tx) => {
    const latest = await readLatest(tx, report.host);
    const now = ctx.clock.now();
    const stands = latest && latest.at > addSeconds(now, -warningSeconds);
    const before = stands ? latest.state : 'ok';
    const renews = report.state !== 'ok' && latest && latest.at <= addSeconds(now, -renewSeconds);
    if (before === report.state && !renews) return { changed: false };
    const freeMb = Math.floor(report.freeBytes / 2 ** 20);
    const eventId = await recordEvent(tx, ctx, {
      kind: 'installation.disk_space',
      subjectId: report.host,
      data: { folder: report.folder, freeMb },
      before: { state: before },
      after: { state: report.state },
    });
    await notifyChange(tx, 'issuance', 'disk');
    if (diskStates.indexOf(report.state) > diskStates.indexOf(before)) {
      await notify(tx, ctx, {
        personIds: await listAdminIds(tx, ctx),
        kind: 'installation.disk_space',
        title: report.state === 'critical' ? 'The disk is nearly full' : 'The disk runs low',
        body: `${freeMb} MB are left under ${report.folder} on ${report.host}. ${consequenceOf[report.state]}`,
        href: `/audit/${eventId}`,
      });
    }
    return { changed: true };
  });
}

const consequenceOf: Record<DiskState, string> = {
  ok: '',
  low: 'Make room: with less, unknown clients can no longer register.',
  critical:
    'Unknown clients cannot register until there is room again. Tokens are issued and stops take effect as long as PostgreSQL can write.',
};

async function readLatest(tx: Tx, host: string): Promise<{ state: DiskState; at: Date } | undefined> {
  const [row] = await tx.$queryRaw<{ state: DiskState; at: Date }[]>`
    SELECT after ->> 'state' AS state, at FROM audit_event
     WHERE kind = 'installation.disk_space' AND subject_id = ${host} ORDER BY arrival DESC LIMIT 1`;
  return row;
}

export type DiskWarning = { state: Exclude<DiskState, 'ok'>; host: string; freeMb: number; at: string };

/** Hosts whose disk history said to be low within the last hour, the worst first. For admins, who can make room, and auditors. */
export async function readDiskWarnings(ctx: Ctx): Promise<DiskWarning[]> {
  requireRole(ctx, 'admin', 'auditor');
  const rows = await ctx.db.prisma.$queryRaw<{ state: DiskState; host: string; freeMb: number; at: Date }[]>`
    SELECT DISTINCT ON (subject_id) subject_id AS host, after ->> 'state' AS state, at,
           (data ->> 'freeMb')::float8 AS "freeMb"
      FROM audit_event WHERE kind = 'installation.disk_space'
       AND at > ${addSeconds(ctx.clock.now(), -warningSeconds)} ORDER BY subject_id, arrival DESC`;
  return rows
    .flatMap(({ state, at, ...row }) => (state === 'ok' ? [] : [{ ...row, state, at: at.toISOString() }]))
    .sort((a, b) => diskStates.indexOf(b.state) - diskStates.indexOf(a.state));
}
