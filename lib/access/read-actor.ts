import type { PersonActor, Role } from '#lib/platform/actor.ts';
import { addSeconds } from '#lib/platform/clock.ts';
import { sha256 } from '#lib/platform/crypto.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { isDatabaseTrouble } from '#lib/platform/database-trouble.ts';
import { isApiToken } from './api-token-format.ts';

/** A session nobody used for this long has ended by itself. */
export const sessionIdleSeconds = 12 * 3600;
/** And at the latest after this long, however busy: then one signs in again. */
export const sessionMaxSeconds = 7 * 24 * 3600;
/** Whoever left a group or the organisation is known to have left at the next sign-in, so that comes sooner. */
export const providerSessionMaxSeconds = 12 * 3600;
/** `last seen` is written at most this often, so that reading pages is not writing rows. */
const seenEverySeconds = 60;

/** Who is behind a session, with the roles as they are at this moment. */
export type SessionFacts = { actor: PersonActor & { sessionId: string }; email: string; expiresAt: Date };

type PersonRow = { person_id: string; subject: string; display_name: string; email: string; roles: Role[] };

/** The roles of the person `p` that give rights at `$2`. */
export const rolesNow = `ARRAY(SELECT g.role FROM role_grant g WHERE g.person_id = p.id AND g.ended_at IS NULL
  AND g.effective_at <= $2 AND (g.lapses_at IS NULL OR g.lapses_at > $2) ORDER BY g.role)::text[] AS roles`;

/**
 * The living session of a cookie's token, or null: unknown, ended, expired, idle too long, or its person deactivated.
 * One prepared statement; runs on every page and call, so that a killed session or an ended role counts at once.
 */
export async function findSession(ctx: Ctx, token: string): Promise<SessionFacts | null> {
  // A token of ours is 43 characters; anything longer is not worth hashing.
  if (token.length < 20 || token.length > 128) return null;
  const now = ctx.clock.now();
  const { rows } = await ctx.db.hot.query<
    PersonRow & { id: string; authn_at: Date; elevated_at: Date | null; last_seen_at: Date; expires_at: Date }
  >({
    name: 'access_find_session',
    text: `SELECT s.id, s.authn_at, s.elevated_at, s.last_seen_at, s.expires_at, p.id AS person_id, p.subject, p.display_name, p.email, ${rolesNow}
      FROM person_session s JOIN person p ON p.id = s.person_id
      WHERE s.token_digest = $1 AND s.ended_at IS NULL AND s.expires_at > $2 AND s.last_seen_at > $3 AND p.state = 'active'`,
    values: [sha256(token), now, addSeconds(now, -sessionIdleSeconds)],
  });
  const row = rows[0];
  if (!row) return null;
  if (row.last_seen_at < addSeconds(now, -seenEverySeconds)) {
    await touch(ctx, {
      name: 'access_touch_session',
      text: 'UPDATE person_session SET last_seen_at = $2 WHERE id = $1 AND last_seen_at < $2',
      values: [row.id, now],
    });
  }
  return {
    actor: {
      ...toActor(row),
      via: 'session',
      sessionId: row.id,
      authnAt: row.authn_at,
      elevatedAt: row.elevated_at,
    },
    email: row.email,
    expiresAt: row.expires_at,
  };
}

/** The holder of a living API token with the holder's roles now, or null. A leaver's token is dead with the leaver. */
export async function findTokenHolder(ctx: Ctx, token: string): Promise<PersonActor | null> {
  if (!isApiToken(token)) return null;
  const now = ctx.clock.now();
  const { rows } = await ctx.db.hot.query<PersonRow & { id: string; last_used_at: Date | null }>({
    name: 'access_find_api_token',
    text: `SELECT t.id, t.last_used_at, p.id AS person_id, p.subject, p.display_name, p.email, ${rolesNow}
      FROM api_token t JOIN person p ON p.id = t.person_id
      WHERE t.token_digest = $1 AND t.ended_at IS NULL AND t.expires_at > $2 AND p.state = 'active'`,
    values: [sha256(token), now],
  });
  const row = rows[0];
  if (!row) return null;
  if (!row.last_used_at || row.last_used_at < addSeconds(now, -seenEverySeconds)) {
    await touch(ctx, {
      name: 'access_touch_api_token',
      text: 'UPDATE api_token SET last_used_at = $2 WHERE id = $1',
      values: [row.id, now],
    });
  }
  return { ...toActor(row), via: 'token', sessionId: null, authnAt: null, elevatedAt: null };
}

/** Whether somebody who is not here may act in a role at this moment, for what they began and others finish. */
export async function holdsRole(
  ctx: Pick<Ctx, 'db' | 'clock'>,
  personId: string,
  role: Role,
): Promise<boolean> {
  const { rows } = await ctx.db.hot.query<{ roles: Role[] }>({
    name: 'access_roles_now',
    text: `SELECT ${rolesNow} FROM person p WHERE p.id = $1 AND p.state = 'active'`,
    values: [personId, ctx.clock.now()],
  });
  return rows[0]?.roles.includes(role) ?? false;
}

/** Notes that somebody was seen. A database that takes no writes (full, read-only) can still be read by whom it knows. */
async function touch(ctx: Ctx, statement: { name: string; text: string; values: unknown[] }): Promise<void> {
  try {
    await ctx.db.hot.query(statement);
  } catch (error) {
    if (!isDatabaseTrouble(error)) throw error;
  }
}

function toActor(row: PersonRow) {
  return {
    kind: 'person' as const,
    personId: row.person_id,
    subject: row.subject,
    displayName: row.display_name,
    roles: row.roles,
  };
}
