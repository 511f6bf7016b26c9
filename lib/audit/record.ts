import { actorIdOf } from '#lib/platform/actor.ts';
import { canonicalJson } from '#lib/platform/canonical-json.ts';
import { sha256 } from '#lib/platform/crypto.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import type { Tx } from '#lib/platform/db.ts';
import { newId } from '#lib/platform/ids.ts';
import { type EventKind, eventCatalogue } from './catalogue.ts';
import { idPattern, splitWords } from './words.ts';

type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json | undefined };
export type JsonObject = { readonly [key: string]: Json | undefined };

/** What a verb says happened. Everything else of the row comes from the context. */
export type EventInput = {
  kind: EventKind;
  subjectId: string;
  outcome?: 'done' | 'refused';
  agentId?: string | null;
  clientId?: string | null;
  serverId?: string | null;
  tool?: string | null;
  /** Id of the registration request this belongs to. */
  requestRef?: string | null;
  /** Events that caused this one: registration → decision → binding → issue → call → revoke. */
  parentIds?: readonly string[];
  /** The words of a person, or a closed reason code. */
  reason?: string;
  data?: JsonObject;
  before?: JsonObject | null;
  after?: JsonObject | null;
};

/** One row of `audit_event`, with the column names of the table, ready for `jsonb_populate_recordset`. */
export type EventRow = {
  id: string;
  at: string;
  kind: EventKind;
  version: number;
  outcome: 'done' | 'refused';
  actor_kind: string;
  actor_id: string | null;
  actor_name: string;
  session_id: string | null;
  subject_kind: string;
  subject_id: string;
  agent_id: string | null;
  client_id: string | null;
  server_id: string | null;
  tool: string | null;
  request_ref: string | null;
  parent_ids: readonly string[];
  address: string | null;
  trace_id: string;
  reason: string;
  data: JsonObject;
  before: JsonObject | null;
  after: JsonObject | null;
  digest: string;
  /** What free text finds it by; not part of what happened, so no digest covers it. */
  words: string;
};

/**
 * The row for an event, with its digest: SHA-256 over the RFC 8785 form of every other column, which leaves out what is
 * `undefined` as JSON does on the way to the database. The digest is the
 * leaf of the log, so whoever alters a column later contradicts a signed checkpoint.
 */
export function toEventRow(ctx: Omit<Ctx, 'db' | 'vault' | 'site'>, event: EventInput): EventRow {
  const definition = eventCatalogue[event.kind];
  const row = {
    id: newId('event'),
    at: ctx.clock.now().toISOString(),
    kind: event.kind,
    version: definition.version,
    outcome: event.outcome ?? ('done' as const),
    actor_kind: ctx.actor.kind,
    actor_id: actorIdOf(ctx.actor),
    actor_name: actorNameOf(ctx),
    session_id: ctx.actor.kind === 'person' ? ctx.actor.sessionId : null,
    subject_kind: definition.subject,
    subject_id: event.subjectId,
    agent_id: event.agentId ?? null,
    client_id: event.clientId ?? null,
    server_id: event.serverId ?? null,
    tool: event.tool ?? null,
    request_ref: event.requestRef ?? null,
    parent_ids: event.parentIds ?? [],
    address: ctx.address,
    trace_id: ctx.traceId,
    reason: event.reason ?? '',
    data: event.data ?? {},
    before: event.before ?? null,
    after: event.after ?? null,
  };
  return { ...row, digest: sha256(canonicalJson(row)), words: wordsOf(row) };
}

/** Longest text words are taken from; nobody searches for the end of a longer reason. */
const maxSearchedLength = 4_000;

/**
 * The words of an event in the text form of a tsvector, split as `wordsQuery` splits what is searched for. Made here,
 * because PostgreSQL's text parser takes 30 µs for a row that is nearly all ids. Our own ids are not among them: each is
 * found by the index of its column, and as a word that stands nowhere else it would cost more than all other words.
 */
function wordsOf(row: Omit<EventRow, 'digest' | 'words'>): string {
  const { kind, actor_name, subject_id, client_id, tool, reason } = row;
  const others = [subject_id, client_id].filter((id) => id !== null && !idPattern.test(id));
  return splitWords(
    `${kind} ${actor_name} ${others.join(' ')} ${tool ?? ''} ${reason}`.slice(0, maxSearchedLength),
  ).join(' ');
}

function actorNameOf(ctx: Pick<Ctx, 'actor'>): string {
  if (ctx.actor.kind === 'person') return ctx.actor.displayName;
  if (ctx.actor.kind === 'guard') return ctx.actor.name;
  return '';
}

/** Records what happened, in the transaction in which it happens: if the event cannot be written, nothing happened. */
export async function recordEvent(
  tx: Tx,
  ctx: Omit<Ctx, 'db' | 'vault' | 'site'>,
  event: EventInput,
): Promise<string> {
  const row = toEventRow(ctx, {
    ...event,
    parentIds: event.parentIds ?? (await previousOfRequest(tx, event)),
  });
  await tx.$executeRawUnsafe(insertEvents('$1'), JSON.stringify([row]));
  return row.id;
}

/**
 * A step of a request follows from the step before it, unless its verb names another cause: so that the chain from
 * registration to decision has no gap. Comments cause nothing.
 */
async function previousOfRequest(tx: Tx, event: EventInput): Promise<string[]> {
  if (!event.requestRef || !event.kind.startsWith('request.')) return [];
  const rows = await tx.$queryRaw<{ id: string }[]>`
    SELECT id FROM audit_event WHERE request_ref = ${event.requestRef} AND kind <> 'request.comment'
     ORDER BY at DESC, id DESC LIMIT 1`;
  return rows.map((row) => row.id);
}

/** Columns of `audit_event` an event consists of; the digest covers all but itself. */
const columns =
  'id, at, kind, version, outcome, actor_kind, actor_id, actor_name, session_id, subject_kind, subject_id, ' +
  'agent_id, client_id, server_id, tool, request_ref, parent_ids, address, trace_id, reason, data, before, after, digest';

export const eventColumns: readonly string[] = columns.split(', ');

/**
 * SQL that inserts event rows from a JSON array parameter, for hot statements that write row and event together:
 * `WITH minted AS (…) ${insertEvents('$2', 'WHERE e.subject_id IN (SELECT id FROM minted)')}`.
 */
export function insertEvents(parameter: string, condition = ''): string {
  const written = [...eventColumns, 'words'];
  return `INSERT INTO audit_event (${written.join(', ')}) SELECT ${written.map((column) => `e.${column}`).join(', ')} FROM json_populate_recordset(NULL::audit_event, ${parameter}::json) e ${condition}`;
}
