import { feedChannels, longestTokenSeconds } from '#lib/agents/feed.ts';
import { type EventRow, insertEvents, toEventRow } from '#lib/audit/record.ts';
import { addSeconds } from '#lib/platform/clock.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import type { Db } from '#lib/platform/db.ts';
import { Unavailable } from '#lib/platform/errors.ts';
import { type GroupCommit, groupCommit, isConnectionLoss } from '#lib/platform/group-commit.ts';

/** Why a credential is over (the closed list of `credential.end_cause`). */
export type EndCause = 'expired' | 'task completed' | 'rotated' | 'revoked' | 'reused' | 'superseded';

type EndRow = {
  n: number;
  /** The event that is written if this row's statement is what ended something. */
  event_id: string;
  at: string;
  until: string;
  cause: EndCause;
  family_id: string | null;
  token_digest: string | null;
  /** Only this client's credentials; null for the installation's own decision. */
  client_id: string | null;
};

type Waiting = { row: Omit<EndRow, 'n' | 'event_id'>; ended: EventRow; events: readonly EventRow[] };
type Ended = { ended: boolean };

/**
 * Ends a refresh family for good, and with it every token minted in it: here with this statement, at the server's
 * guards with the feed entry it writes. Answers false when it had ended before. Durable before answered.
 */
export async function endFamily(
  ctx: Ctx,
  input: {
    familyId: string;
    cause: EndCause;
    reason: string;
    clientId?: string;
    agentId?: string;
    parentIds?: readonly string[];
    /** Events to write in the same statement whether or not the family was still alive. */
    events?: readonly EventRow[];
  },
): Promise<boolean> {
  const now = ctx.clock.now();
  return run(ctx, {
    row: {
      at: now.toISOString(),
      until: addSeconds(now, longestTokenSeconds + 60).toISOString(),
      cause: input.cause,
      family_id: input.familyId,
      token_digest: null,
      client_id: input.clientId ?? null,
    },
    ended: toEventRow(ctx, {
      kind: 'family.end',
      subjectId: input.familyId,
      clientId: input.clientId ?? null,
      agentId: input.agentId ?? null,
      reason: input.reason,
      parentIds: input.parentIds ?? [],
      data: { cause: input.cause },
    }),
    events: input.events ?? [],
  });
}

/** Ends one access token before its time, if it is this client's and still alive. Durable before answered. */
export async function endAccessToken(
  ctx: Ctx,
  input: {
    credentialId: string;
    tokenDigest: string;
    clientId: string;
    agentId: string | null;
    cause: EndCause;
    reason: string;
  },
): Promise<boolean> {
  const now = ctx.clock.now();
  return run(ctx, {
    row: {
      at: now.toISOString(),
      until: addSeconds(now, longestTokenSeconds + 60).toISOString(),
      cause: input.cause,
      family_id: null,
      token_digest: input.tokenDigest,
      client_id: input.clientId,
    },
    ended: toEventRow(ctx, {
      kind: 'credential.end',
      subjectId: input.credentialId,
      clientId: input.clientId,
      agentId: input.agentId,
      reason: input.reason,
      data: { cause: input.cause },
    }),
    events: [],
  });
}

async function run(ctx: Ctx, waiting: Waiting): Promise<boolean> {
  try {
    return (await enderOf(ctx.db)(waiting)).ended;
  } catch (error) {
    // Ending twice is ending once: whoever asked asks again.
    throw new Unavailable('It is not known whether this was ended. Ask again.', {}, { cause: error });
  }
}

const enders = new WeakMap<Db, GroupCommit<Waiting, Ended>>();

function enderOf(db: Db): GroupCommit<Waiting, Ended> {
  let ender = enders.get(db);
  if (!ender) {
    ender = groupCommit<Waiting, Ended>({
      maxRows: 64,
      // One at a time: batches of one server would only queue behind each other's lock on its feed.
      maxInFlight: 1,
      isOutcomeUnknown: isConnectionLoss,
      async run(batch) {
        const { rows } = await db.hot.query<{ n: number }>({
          ...endSql,
          values: [
            JSON.stringify(batch.map(({ row, ended }, n) => ({ ...row, n, event_id: ended.id }))),
            JSON.stringify(batch.flatMap(({ ended, events }) => [ended, ...events])),
            batch.flatMap(({ events }) => events.map((event) => event.id)),
          ],
        });
        const ended = new Set(rows.map((row) => row.n));
        return batch.map((_, n) => ({ ended: ended.has(n) }));
      },
    });
    enders.set(db, ender);
  }
  return ender;
}

/**
 * Families and single tokens, their cascade, their events and one feed entry a server, in one statement. Tokens that
 * have expired need no end and get none.
 */
const endSql = {
  name: 'credentials.end',
  text: `WITH input AS MATERIALIZED (
  SELECT * FROM jsonb_to_recordset($1::jsonb) AS i(
    n int, event_id text, at timestamptz, until timestamptz, cause text, family_id text, token_digest text, client_id text)
),
family AS (
  UPDATE refresh_family f SET state = 'ended', end_cause = i.cause, ended_at = i.at FROM input i
   WHERE f.id = i.family_id AND f.state <> 'ended' AND (i.client_id IS NULL OR f.client_id = i.client_id)
  RETURNING f.id, f.server_id, i.n, i.event_id, i.at, i.cause
),
cascaded AS (
  UPDATE credential c SET ended_at = f.at, end_cause = f.cause FROM family f
   WHERE c.family_id = f.id AND c.ended_at IS NULL AND c.expires_at > f.at
),
token AS (
  UPDATE credential c SET ended_at = i.at, end_cause = i.cause FROM input i
   WHERE c.token_digest = i.token_digest AND c.client_id = i.client_id AND c.ended_at IS NULL AND c.expires_at > i.at
  RETURNING c.id, c.server_id, i.n, i.event_id
),
done AS MATERIALIZED (SELECT n, event_id FROM family UNION SELECT n, event_id FROM token),
touched AS (
  SELECT server_id, jsonb_agg(DISTINCT id) FILTER (WHERE what = 'token') AS tokens,
         jsonb_agg(DISTINCT id) FILTER (WHERE what = 'family') AS families
    FROM (SELECT server_id, id, 'token' AS what FROM token UNION ALL SELECT server_id, id, 'family' FROM family) all_ended
   GROUP BY server_id
),
head AS (
  INSERT INTO feed_head AS h (server_id, sequence) SELECT server_id, 1 FROM touched ORDER BY server_id
  ON CONFLICT (server_id) DO UPDATE SET sequence = h.sequence + 1
  RETURNING server_id, sequence
),
entry AS (
  INSERT INTO feed_entry (server_id, sequence, kind, subject, value, committed_at, expires_at)
  SELECT h.server_id, h.sequence, 'credentials.ended', 'credentials',
         jsonb_build_object('kind', 'credentials.ended', 'tokenIds', coalesce(t.tokens, '[]'), 'families',
           coalesce(t.families, '[]'), 'untilMs', (extract(epoch FROM (SELECT max(until) FROM input)) * 1000)::bigint),
         (SELECT max(at) FROM input), (SELECT max(until) FROM input)
    FROM head h JOIN touched t USING (server_id)
),
told AS MATERIALIZED (SELECT pg_notify('${feedChannels.credentials}', server_id) FROM head),
event AS (
  ${insertEvents('$2', 'WHERE e.id IN (SELECT event_id FROM done) OR e.id = ANY ($3)')}
)
SELECT done.n, (SELECT count(*) FROM told) AS told FROM done`,
};
