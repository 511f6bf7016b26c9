import { expireAgents } from '#lib/agents/expire-agents.ts';
import { expireRequests } from '#lib/approvals/expire-requests.ts';
import { probeServers } from '#lib/catalogue/probe-server.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { checkMetadataDocuments } from '#lib/registration/document-versions.ts';
import { endUnclaimedQuarantines } from '#lib/registration/end-quarantine.ts';
import { compareState } from './compare-state.ts';
import { deliverDue, deliverMessage } from './deliver-message.ts';
import { forgetExpired } from './forget-expired.ts';
import { rotateKeys } from './rotate-keys.ts';
import type { Services } from './services.ts';
import { syncServers } from './sync-servers.ts';
import { verifyHistory } from './verify-history.ts';

/** A background task: runs with the system as actor; throwing makes it run again later, with growing pauses. */
export type Task = (ctx: Ctx, payload: unknown, services: Services) => Promise<unknown>;

/** Every task by its name. Verbs enqueue them with `graphile_worker.add_job` in their own transaction. */
export const tasks = {
  'check-documents': checkMetadataDocuments,
  'compare-state': compareState,
  'deliver-due': deliverDue,
  'deliver-message': deliverMessage,
  'end-quarantines': endUnclaimedQuarantines,
  'expire-agents': expireAgents,
  'expire-requests': expireRequests,
  'forget-expired': forgetExpired,
  'probe-servers': probeServers,
  'rotate-keys': rotateKeys,
  'sync-servers': syncServers,
  'verify-history': verifyHistory,
} satisfies Record<string, Task>;

export type TaskName = keyof typeof tasks;

/** When tasks run by themselves (crontab syntax, UTC). A run missed while nothing was running is made up once. */
export const schedule: readonly { task: TaskName; match: string; missed?: 'once' }[] = [
  { task: 'check-documents', match: '*/13 * * * *' },
  { task: 'compare-state', match: '7 * * * *' },
  { task: 'deliver-due', match: '* * * * *' },
  { task: 'end-quarantines', match: '* * * * *' },
  { task: 'expire-agents', match: '* * * * *' },
  { task: 'expire-requests', match: '* * * * *' },
  { task: 'forget-expired', match: '17 * * * *', missed: 'once' },
  { task: 'probe-servers', match: '*/5 * * * *' },
  { task: 'rotate-keys', match: '27 3 * * *', missed: 'once' },
  { task: 'sync-servers', match: '* * * * *' },
  { task: 'verify-history', match: '37 * * * *' },
];

/** Tasks that also run at every start. */
export const atStart: readonly TaskName[] = [
  'compare-state',
  'end-quarantines',
  'expire-agents',
  'expire-requests',
  'verify-history',
];
