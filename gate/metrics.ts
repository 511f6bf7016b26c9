import { Gauge } from 'prom-client';
import type { Gate } from './context.ts';
import { registry } from './health.ts';

const gauge = (name: string, help: string) => new Gauge({ name, help, registers: [registry] });

const databaseUp = gauge('countersign_database_up', 'Whether the database answered this scrape.');
/** Read from the database at each scrape. Every gate answers alike, so alert on the maximum. */
const gauges = {
  issuance_stopped: gauge(
    'countersign_issuance_stopped',
    'Whether nothing is issued, by a restored backup or a guard.',
  ),
  history_broken: gauge(
    'countersign_history_broken',
    'Whether the newest verification of the log found it broken.',
  ),
  history_verified: gauge(
    'countersign_history_verified_timestamp_seconds',
    'When the log was last verified; 0 for never.',
  ),
  oldest_unordered: gauge(
    'countersign_oldest_unordered_event_seconds',
    'Age of the oldest event that waits for its position in the log; 0 for none.',
  ),
  messages_overdue: gauge(
    'countersign_messages_overdue',
    'Mails and webhook messages that should have gone out ten minutes ago; not what waits for a mail server or a paused webhook.',
  ),
  messages_failed: gauge('countersign_messages_failed', 'Messages given up within the last day.'),
  guards_enrolled: gauge('countersign_guards_enrolled', 'Guards that are enrolled.'),
  guards_silent: gauge(
    'countersign_guards_silent',
    'Enrolled guards that were seen within a day and not within the last two minutes.',
  ),
  requests_waiting: gauge('countersign_requests_waiting', 'Requests that wait for a decision.'),
  last_backup: gauge(
    'countersign_last_backup_timestamp_seconds',
    'When the last backup by countersign backup was whole and on the disk; 0 for never.',
  ),
};
type Name = keyof typeof gauges;

const statement = {
  name: 'gate metrics',
  text: `SELECT
    coalesce((SELECT issuance_stopped_at IS NOT NULL FROM installation WHERE id = 1), false)::int AS issuance_stopped,
    coalesce((SELECT outcome = 'broken' FROM audit_verification ORDER BY finished_at DESC LIMIT 1), false)::int AS history_broken,
    coalesce((SELECT extract(epoch FROM max(finished_at)) FROM audit_verification), 0)::float8 AS history_verified,
    coalesce((SELECT greatest(0, extract(epoch FROM $1::timestamptz - min(e.at))) FROM (
      SELECT at FROM audit_event e WHERE e.arrival > (SELECT settled FROM sequencer_fence WHERE id = 1)
         AND NOT EXISTS (SELECT 1 FROM audit_leaf l WHERE l.event_id = e.id) ORDER BY e.arrival LIMIT 1) e), 0)::float8 AS oldest_unordered,
    (SELECT count(*) FROM outbox_message WHERE delivered_at IS NULL AND failed_at IS NULL
        AND next_attempt_at < $1::timestamptz - interval '10 minutes' AND (channel = 'webhook' OR $2)
        AND destination NOT IN (SELECT id FROM webhook WHERE paused_at IS NOT NULL AND ended_at IS NULL))::int AS messages_overdue,
    (SELECT count(*) FROM outbox_message WHERE failed_at > $1::timestamptz - interval '1 day')::int AS messages_failed,
    (SELECT count(*) FROM guard WHERE state = 'enrolled')::int AS guards_enrolled,
    (SELECT count(*) FROM guard WHERE state = 'enrolled' AND last_seen_at > $1::timestamptz - interval '1 day'
        AND last_seen_at < $1::timestamptz - interval '2 minutes')::int AS guards_silent,
    (SELECT count(*) FROM registration_request WHERE state = 'submitted')::int AS requests_waiting,
    coalesce((SELECT extract(epoch FROM max(at)) FROM audit_event WHERE kind = 'installation.backup_finish'), 0)::float8 AS last_backup`,
};

/** Everything this process measures, in the text form of Prometheus. A database that does not answer is a measurement too. */
export async function readMetrics(gate: Gate): Promise<string> {
  try {
    const { rows } = await gate.db.hot.query<Record<Name, number>>({
      ...statement,
      // What nothing delivers at the moment by somebody's choice, as `deliverDue` has it, is not overdue.
      values: [gate.clock.now(), gate.config.smtpUrl !== null],
    });
    databaseUp.set(1);
    for (const [name, value] of Object.entries(rows[0] ?? {})) gauges[name as Name].set(value);
  } catch (error) {
    gate.log.warn({ err: error }, 'the database did not answer a scrape');
    databaseUp.set(0);
    // What was true a while ago is not said again.
    for (const each of Object.values(gauges)) each.remove();
  }
  return registry.metrics();
}
