import { listAdminIds } from '#lib/access/roles.ts';
import { notify } from '#lib/audit/notify.ts';
import { insertEvents, toEventRow } from '#lib/audit/record.ts';
import { toGrantedScope } from '#lib/oauth/scope.ts';
import { systemActor } from '#lib/platform/actor.ts';
import { clockSkewSeconds } from '#lib/platform/clock.ts';
import { sha256 } from '#lib/platform/crypto.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { type Db, withTransaction } from '#lib/platform/db.ts';
import { DomainError, Unauthenticated } from '#lib/platform/errors.ts';
import { type GroupCommit, groupCommit } from '#lib/platform/group-commit.ts';
import { type CompactParts, readCompact, verifiesEd25519 } from '#lib/platform/jws.ts';
import { noteSeen } from './last-seen.ts';
import { noteResourceTokenUse, resourceTokenPrefix } from './resource-tokens.ts';
import { killSigningKey, publishedKeys } from './signing-keys.ts';

/** Who asks: a server by its own token, or a guard that has proved itself, for the servers it was enrolled for. */
export type IntrospectionCaller =
  | { kind: 'server'; token: string }
  | { kind: 'guard'; guardId: string; serverIds: readonly string[] };

/** An introspection answer (RFC 7662 §2.2), in wire names. */
export type Introspection =
  | { active: false }
  | {
      active: true;
      iss: string;
      sub: string;
      aud: string;
      client_id: string;
      scope: string;
      iat: number;
      exp: number;
      jti: string;
      token_type: 'Bearer';
    };

type Question = {
  digest: string;
  at: string;
  caller_digest: string | null;
  server_ids: readonly string[] | null;
};
type Found = {
  n: number;
  caller_known: boolean;
  /** The caller's own token, when its last use was not noted within a minute. */
  caller_unseen: string | null;
  known: boolean;
  live: boolean;
  /** Tools of the token that are still defined as approved. */
  tools: string[] | null;
  /** The credential, when the ledger should hear that it was seen: the first time, then once a minute. */
  unseen: string | null;
};

const inactive: Introspection = { active: false };

/**
 * Says whether a token is good right now, to whoever it was minted for (RFC 7662). Liveness is computed, never
 * stored: not ended, not expired, agent, instance, owner, client, binding, family and key all as the token says. A
 * caller learns about tokens for its own audience only; anything else is inactive, which reveals nothing.
 *
 * A token with a true signature and no row of its id was issued by nobody: its key is in other hands. That raises the alarm
 * and kills the key. Throws `Unauthenticated` for a caller nobody knows.
 */
export async function introspectToken(
  ctx: Ctx,
  caller: IntrospectionCaller,
  token: string,
): Promise<Introspection> {
  const byServer = caller.kind === 'server';
  if (byServer && (!caller.token.startsWith(resourceTokenPrefix) || caller.token.length > 100)) {
    throw new Unauthenticated('The token of this server is not valid.');
  }
  const found = await askerOf(ctx.db)({
    digest: sha256(token),
    at: ctx.clock.now().toISOString(),
    caller_digest: byServer ? sha256(caller.token) : null,
    server_ids: byServer ? null : caller.serverIds,
  });
  if (byServer && !found.caller_known) throw new Unauthenticated('The token of this server is not valid.');
  if (found.caller_unseen) noteResourceTokenUse(ctx, { id: found.caller_unseen, lastUsedAt: null });
  if (!found.live) {
    if (!found.known) await raiseIfForged(ctx, token);
    return inactive;
  }
  if (found.unseen) noteSeen(ctx, found.unseen);
  // The digest says that these are the very bytes signed here, so their claims need no second verification.
  const claims = readCompact(token)?.payload as Record<string, never> | undefined;
  if (!claims) return inactive;
  return {
    active: true,
    iss: claims.iss ?? '',
    sub: claims.sub ?? '',
    aud: claims.aud ?? '',
    client_id: claims.client_id ?? '',
    scope: toGrantedScope(found.tools ?? []),
    iat: claims.iat ?? 0,
    exp: claims.exp ?? 0,
    jti: claims.jti ?? '',
    token_type: 'Bearer',
  };
}

const askers = new WeakMap<Db, GroupCommit<Question, Found>>();

function askerOf(db: Db): GroupCommit<Question, Found> {
  let asker = askers.get(db);
  if (!asker) {
    asker = groupCommit<Question, Found>({
      maxRows: 64,
      maxInFlight: 2,
      // A question changes nothing, so it may always be asked again.
      isOutcomeUnknown: () => false,
      async run(questions) {
        const { rows } = await db.hot.query<Found>({
          ...introspectSql,
          values: [JSON.stringify(questions.map((question, n) => ({ ...question, n })))],
        });
        const byNumber = new Map(rows.map((row) => [row.n, row]));
        return questions.map((_, n) => byNumber.get(n) as Found);
      },
    });
    askers.set(db, asker);
  }
  return asker;
}

const introspectSql = {
  name: 'credentials.introspect',
  text: `
SELECT i.n, r.id IS NOT NULL AS caller_known,
       CASE WHEN r.last_used_at IS NULL OR r.last_used_at < i.at - interval '1 minute' THEN r.id END AS caller_unseen,
       c.id IS NOT NULL AS known,
       coalesce(c.server_id = r.server_id OR c.server_id = ANY (i.server_ids), false)
         AND c.ended_at IS NULL AND c.expires_at > i.at AND c.issued_at <= i.at + interval '${clockSkewSeconds} seconds'
         AND a.state = 'active' AND a.epoch = c.epoch AND (a.expires_at IS NULL OR a.expires_at > i.at)
         AND p.state = 'active' AND s.state = 'active' AND l.forgotten_at IS NULL
         AND b.ended_at IS NULL AND b.version = c.binding_version AND (b.expires_at IS NULL OR b.expires_at > i.at)
         AND m.state = 'active' AND k.state <> 'killed' AND (c.family_id IS NULL OR f.state = 'live') AS live,
       (SELECT array_agg(t.name) FROM tool t JOIN tool_version v ON v.tool_id = t.id AND v.version = t.current_version
         WHERE t.server_id = c.server_id AND t.name = ANY (c.tools) AND t.removed_at IS NULL
           AND v.id = ANY (b.tool_version_ids)) AS tools,
       CASE WHEN c.last_seen_at IS NULL OR c.last_seen_at < i.at - interval '1 minute' THEN c.id END AS unseen
  FROM jsonb_to_recordset($1::jsonb) AS i(n int, digest text, at timestamptz, caller_digest text, server_ids text[])
  LEFT JOIN resource_token r ON r.token_digest = i.caller_digest AND r.ended_at IS NULL AND r.expires_at > i.at
  LEFT JOIN credential c ON c.token_digest = i.digest
  LEFT JOIN agent a ON a.id = c.agent_id
  LEFT JOIN person p ON p.id = a.owner_id
  LEFT JOIN instance s ON s.id = c.instance_id
  LEFT JOIN client l ON l.id = c.client_id
  LEFT JOIN tool_binding b ON b.id = c.binding_id
  LEFT JOIN mcp_server m ON m.id = c.server_id
  LEFT JOIN signing_key k ON k.kid = c.kid
  LEFT JOIN refresh_family f ON f.id = c.family_id`,
};

/** The signature is ours and the token is not: only who holds the key can do that. */
async function raiseIfForged(ctx: Ctx, token: string): Promise<void> {
  const parts = readCompact(token);
  const kid = parts?.header.kid;
  if (!parts || typeof kid !== 'string' || parts.header.typ !== 'at+jwt') return;
  const key = (await publishedKeys(ctx, 'token')).find((each) => each.kid === kid);
  if (!key || !verifiesEd25519(parts, key.publicKey)) return;
  // One signature has several spellings (the last base64url character carries spare bits). A token that was issued and
  // is spelled otherwise is no forgery, or its holder could kill our key.
  const { jti } = parts.payload;
  if (typeof jti === 'string') {
    const { rowCount } = await ctx.db.hot.query('SELECT 1 FROM credential WHERE id = $1', [jti]);
    if (rowCount) return;
  }
  await raiseForgery(ctx, kid, parts);
}

/**
 * Records a token that carries a key's true signature and was issued by nobody, and kills that key. Also what a
 * guard's report of an unknown token id comes to. Safe to call again: a dead key is dead, and admins hear of it once.
 *
 * @anonymous Whoever presents the token gives the alarm; the signature is the proof.
 */
export async function raiseForgery(
  ctx: Ctx,
  kid: string,
  parts: Pick<CompactParts, 'payload'>,
): Promise<void> {
  const text = (value: unknown) => (typeof value === 'string' ? value.slice(0, 200) : null);
  const event = toEventRow(ctx, {
    kind: 'token.forged',
    subjectId: kid,
    outcome: 'refused',
    reason: 'signed here, issued by nobody',
    data: {
      jti: text(parts.payload.jti),
      aud: text(parts.payload.aud),
      clientId: text(parts.payload.client_id),
    },
  });
  await ctx.db.hot.query(insertEvents('$1'), [JSON.stringify([event])]);
  try {
    await killSigningKey(
      { ...ctx, actor: systemActor('forgery alarm') },
      { kid, reason: 'A token with this key’s signature was presented that nobody issued.' },
    );
    await withTransaction(ctx, async (tx) =>
      notify(tx, ctx, {
        personIds: await listAdminIds(tx, ctx),
        kind: 'token.forged',
        title: 'A forged token was presented, and its key is dead',
        body: 'It carried the true signature of a key of this installation, and nobody issued it: somebody else holds that key. Find out where it was copied.',
        href: `/audit/${event.id}`,
      }),
    );
  } catch (error) {
    if (!(error instanceof DomainError) || error.code !== 'conflict') throw error;
  }
}
