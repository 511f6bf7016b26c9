/** A guard as `/api/v1/guards` tells of it. */
export type GuardRow = {
  id: string;
  name: string;
  state: string;
  version: string;
  thumbprint: string;
  enrolledAt: string;
  lastSeenAt: string | null;
  revokedAt: string | null;
  servers: { id: string; name: string; acknowledged: number; head: number }[];
  lastReportNumber: number;
};

export type InvitableServer = { id: string; name: string; resource: string; upstreamUrl: string | null };

/** A guard answers every heartbeat; one not heard for longer than twice its lease refuses everything by itself. */
const silentAfterMs = 10_000;

/** Whether a guard is heard from, at this instant. */
export function guardStanding(
  guard: Pick<GuardRow, 'state' | 'lastSeenAt'>,
  nowMs: number,
): 'revoked' | 'enrolled' | 'unreachable' | 'connected' {
  if (guard.state !== 'enrolled') return 'revoked';
  if (guard.lastSeenAt === null) return 'enrolled';
  return nowMs - Date.parse(guard.lastSeenAt) > silentAfterMs ? 'unreachable' : 'connected';
}

/** Feed entries the guard has not acknowledged, over all its servers. */
export function lagOf(guard: Pick<GuardRow, 'servers'>): number {
  return guard.servers.reduce((sum, server) => sum + Math.max(0, server.head - server.acknowledged), 0);
}
