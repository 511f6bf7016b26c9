import { feedChannels, longestTokenSeconds } from '#lib/agents/feed.ts';
import { type EventRow, insertEvents, toEventRow } from '#lib/audit/record.ts';
import { addSeconds } from '#lib/platform/clock.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import type { Db } from '#lib/platform/db.ts';
import { Unavailable } from '#lib/platform/errors.ts';
import { type GroupCommit, groupCommit, isConnectionLoss } from '#lib/platform/group-commit.ts';

/** Why a credential is over (the closed list of `credential.end_cause`). */
export type EndCause = 'expired' | 'task completed' | 'rotated' | 'revoked' | 'reused' | 'superseded';

/** What ends: a family is named by its id, an access token by the digest of its bytes. */
type Kind = 'family' | 'token';

type EndRow = {
  n: number;
  /** The event that is written if this row's statement is what ended something. */
  event_id: string;
  at: string;
  until: string;
  cause: EndCause;
  key: string;
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
  return run(ctx, 'family', {
    row: {
      at: now.toISOString(),
      until: addSeconds(now, longestTokenSeconds + 60).toISOString(),
      cause: input.cause,
      key: input.familyId,
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
  return run(ctx, 'token', {
    row: {
      at: now.toISOString(),
      until: addSeconds(now, longestTokenSeconds + 60).toISOString(),
      cause: input.cause,
      key: input.tokenDigest,
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

async function run(ctx: Ctx, kind: Kind, waiting: Waiting): Promise<boolean> {
  try {
    return (await enderOf(ctx.db, kind)(waiting)).ended;
  } catch (error) {
    // Ending twice is ending once: whoever asked asks again.
    throw new Unavailable('It is not known whether this was ended. Ask again.', {}, { cause: error });
  }
}

type Ender = GroupCommit<Waiting, Ended>;
const enders = new WeakMap<Db, Record<Kind, Ender>>();

function enderOf(db: Db, kind: Kind): Ender {
  let known = enders.get(db);
  if (!known) {
    known = { family: createEnder(db, 'family'), token: createEnder(db, 'token') };
    enders.set(db, known);
  }
  return known[kind];
}

function createEnder(db: Db, kind: Kind): Ender {
  const sql = { name: `credentials.end.${kind}`, text: endSql(kind) };
  return groupCommit<Waiting, Ended>({
    maxRows: 64,
    // One at a time: batches of one server would only queue behind each other's lock on its feed.
    maxInFlight: 1,
    isOutcomeUnknown: isConnectionLoss,
    async run(batch) {
      const { rows } = await db.hot.query<{ n: number }>({
        ...sql,
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
}

/** Each ends its rows and answers `done`. Tokens that have expired need no end and get none. */
const ending: Record<Kind, { sql: string; entryMember: 'tokenIds' | 'families' }> = {
  family: {
    entryMember: 'families',
    sql: `done AS (
  UPDATE refresh_family f SET state = 'ended', end_cause = i.cause, ended_at = i.at FROM input i
   WHERE f.id = i.key AND f.state <> 'ended' AND (i.client_id IS NULL OR f.client_id = i.client_id)
  RETURNING f.id, f.server_id, i.n, i.event_id, i.at, i.cause
),
cascaded AS (
  UPDATE credential c SET ended_at = f.at, end_cause = f.cause FROM done f
   WHERE c.family_id = f.id AND c.ended_at IS NULL AND c.expires_at > f.at
)`,
  },
  token: {
    entryMember: 'tokenIds',
    sql: `done AS (
  UPDATE credential c SET ended_at = i.at, end_cause = i.cause FROM input i
   WHERE c.token_digest = i.key AND c.client_id = i.client_id AND c.ended_at IS NULL AND c.expires_at > i.at
  RETURNING c.id, c.server_id, i.n, i.event_id
)`,
  },
};

/** What ends, its cascade, its events and one feed entry a server, in one statement. */
function endSql(kind: Kind): string {
  const { sql, entryMember } = ending[kind];
  return `WITH input AS MATERIALIZED (
  SELECT * FROM json_to_recordset($1::json) AS i(
    n int, event_id text, at timestamptz, until timestamptz, cause text, key text, client_id text)
),
${sql},
touched AS (SELECT server_id, jsonb_agg(id) AS ids FROM done GROUP BY server_id),
head AS (
  INSERT INTO feed_head AS h (server_id, sequence) SELECT server_id, 1 FROM touched ORDER BY server_id
  ON CONFLICT (server_id) DO UPDATE SET sequence = h.sequence + 1
  RETURNING server_id, sequence
),
entry AS (
  INSERT INTO feed_entry (server_id, sequence, kind, subject, value, committed_at, expires_at)
  SELECT h.server_id, h.sequence, 'credentials.ended', 'credentials',
         jsonb_build_object('kind', 'credentials.ended', 'tokenIds', '[]'::jsonb, 'families', '[]'::jsonb,
           '${entryMember}', t.ids, 'untilMs', (extract(epoch FROM latest.until) * 1000)::bigint),
         latest.at, latest.until
    FROM head h JOIN touched t USING (server_id), (SELECT max(at) AS at, max(until) AS until FROM input) latest
),
told AS MATERIALIZED (SELECT pg_notify('${feedChannels.credentials}', server_id) FROM head),
event AS (
  ${insertEvents('$2', 'WHERE e.id IN (SELECT event_id FROM done) OR e.id = ANY ($3)')}
)
SELECT done.n, (SELECT count(*) FROM told) AS told FROM done`;
}
