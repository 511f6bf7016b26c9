import { type EventRow, insertEvents, toEventRow } from '#lib/audit/record.ts';
import { addSeconds } from '#lib/platform/clock.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import type { Db } from '#lib/platform/db.ts';
import { Unavailable } from '#lib/platform/errors.ts';
import { type GroupCommit, groupCommit, isConnectionLoss } from '#lib/platform/group-commit.ts';
import { newId } from '#lib/platform/ids.ts';
import { type AccessToken, revealedSeconds, signAccessToken, tokenLifetimeSeconds } from './access-token.ts';
import { isDenied } from './deny-set.ts';
import { activeSigningKey, forgetKeys } from './signing-keys.ts';
import { type BindingStanding, bindingEndsAt, forgetStanding, type Standing } from './standing.ts';

/** What a mint uses up, in the statement that stores the token: at most one mint wins each. */
export type Spend =
  | { kind: 'assertion'; key: string; expiresAt: Date }
  | { kind: 'code'; codeDigest: string; refresh: NewRefresh | null }
  | { kind: 'refresh'; tokenDigest: string; prefix: string; refresh: NewRefresh }
  /** A replay in grace: nothing new but the access token. */
  | { kind: 'replay'; tokenDigest: string; prefix: string; successorDigest: string }
  /** The owner's right to mint what they carry themselves; `mintedBefore` makes two tabs one. */
  | { kind: 'reveal'; revealId: string; mintedBefore: number }
  /** A client that authenticated by a secret has nothing that could be spent. */
  | { kind: 'nothing' };

export type NewRefresh = { digest: string; generation: number; expiresAt: Date };

export type MintOrder = {
  standing: Standing & {
    agent: NonNullable<Standing['agent']>;
    instance: NonNullable<Standing['instance']>;
  };
  binding: BindingStanding;
  /** The names that go into the token. */
  tools: readonly string[];
  subject: string;
  familyId: string | null;
  grantKind: 'authorization_code' | 'device_code' | 'refresh_token' | 'client_credentials' | 'reveal';
  spend: Spend;
  parentIds?: readonly string[];
};

export type Minted = AccessToken & { credentialId: string };

type MintRow = {
  id: string;
  kind: string;
  agent_id: string;
  instance_id: string;
  client_id: string;
  server_id: string;
  binding_id: string;
  binding_version: number;
  epoch: number;
  family_id: string | null;
  grant_kind: string;
  token_digest: string;
  audience: string;
  tools: readonly string[];
  kid: string;
  issued_at: string;
  expires_at: string;
  client_digest: string;
  spend: Spend['kind'];
  spends: string | null;
  spends_until: string | null;
  prefix: string | null;
  successor: string | null;
  generation: number | null;
  refresh_expires_at: string | null;
};

type MintOutcome = 'minted' | 'refused';
type Waiting = { row: MintRow; events: readonly EventRow[] };

/**
 * Mints one access token: signs it, then stores credential row, issuance event, what it uses up and, at the first
 * issuance of an approval, the start of its clock, in one statement shared with whoever mints at the same moment.
 *
 * The statement stores nothing unless everything the token says is still so: agent active and of this epoch,
 * instance active, client as approved, owner active, binding of this version in force, server in service, signing
 * key active, issuance not stopped, and what is spent not spent before. Answers null then: read again and say why.
 * An unknown commit is looked up by the token's id before anything is answered.
 */
export async function mint(ctx: Ctx, order: MintOrder): Promise<Minted | 'refused' | 'denied'> {
  const { standing, binding, spend } = order;
  const { client, agent, instance } = standing;
  const key = await activeSigningKey(ctx, 'token');
  const now = ctx.clock.now();
  const id = newId('credential');
  // The clock of an approval starts with its first token; until then the token may live as long as the approval would.
  const endsAt = binding.firstIssuedAt ? bindingEndsAt(binding) : addSeconds(now, binding.lifetimeSeconds);
  const token = signAccessToken(key, {
    jti: id,
    issuer: ctx.site.issuer,
    subject: order.subject,
    audience: binding.resource,
    clientId: client.id,
    issuedAt: now,
    endsAt: agent.expiresAt && agent.expiresAt < endsAt ? agent.expiresAt : endsAt,
    lifetimeSeconds: spend.kind === 'reveal' ? revealedSeconds : tokenLifetimeSeconds(agent.clientClass),
    agentId: agent.id,
    epoch: agent.epoch,
    bindingId: binding.id,
    bindingVersion: binding.version,
    // Where no refresh family exists, the instance is what all its tokens descend from.
    family: order.familyId ?? instance.id,
    sourceId: client.sourceId,
    clientClass: agent.clientClass,
    tools: order.tools,
  });
  if (token.expiresInSeconds <= 0) return 'refused';
  const refresh = spend.kind === 'code' || spend.kind === 'refresh' ? spend.refresh : null;
  const row: MintRow = {
    id,
    kind: spend.kind === 'reveal' ? 'revealed token' : 'access token',
    agent_id: agent.id,
    instance_id: instance.id,
    client_id: client.id,
    server_id: binding.serverId,
    binding_id: binding.id,
    binding_version: binding.version,
    epoch: agent.epoch,
    family_id: order.familyId,
    grant_kind: order.grantKind,
    token_digest: token.digest,
    audience: binding.resource,
    tools: order.tools,
    kid: key.kid,
    issued_at: now.toISOString(),
    expires_at: token.expiresAt.toISOString(),
    client_digest: client.metadataDigest,
    spend: spend.kind,
    spends: spentName(spend),
    spends_until: spend.kind === 'assertion' ? spend.expiresAt.toISOString() : null,
    prefix: spend.kind === 'refresh' || spend.kind === 'replay' ? spend.prefix : null,
    successor: spend.kind === 'replay' ? spend.successorDigest : (refresh?.digest ?? null),
    generation: spend.kind === 'reveal' ? spend.mintedBefore : (refresh?.generation ?? null),
    refresh_expires_at: refresh?.expiresAt.toISOString() ?? null,
  };
  const issueEvent = toEventRow(ctx, {
    kind: spend.kind === 'reveal' ? 'credential.reveal' : 'credential.issue',
    subjectId: id,
    agentId: agent.id,
    clientId: client.id,
    serverId: binding.serverId,
    requestRef: binding.requestId,
    parentIds: [...(binding.createEventId ? [binding.createEventId] : []), ...(order.parentIds ?? [])],
    data: {
      grant: order.grantKind,
      audience: binding.resource,
      tools: order.tools,
      expiresAt: row.expires_at,
      instanceId: instance.id,
      bindingId: binding.id,
      bindingVersion: binding.version,
      epoch: agent.epoch,
      familyId: order.familyId ?? undefined,
      kid: key.kid,
    },
  });
  const events = [issueEvent];
  if (spend.kind === 'replay') {
    events.push(
      toEventRow(ctx, {
        kind: 'family.replay',
        subjectId: order.familyId ?? '',
        agentId: agent.id,
        clientId: client.id,
        serverId: binding.serverId,
        parentIds: [issueEvent.id],
        reason: 'in grace',
        data: { credentialId: id },
      }),
    );
  }
  const outcome = await storeMint(ctx, { row, events });
  if (outcome === 'refused') {
    // What was remembered may be why; the next look reads everything afresh.
    forgetStanding(ctx.db, client.id);
    forgetKeys(ctx.db);
    return 'refused';
  }
  // A stop that committed while this token was on its way is known here before its holder could use it.
  if (isDenied(ctx.db, { agentId: agent.id, epoch: agent.epoch, bindingId: binding.id, kid: key.kid }))
    return 'denied';
  return { ...token, credentialId: id };
}

function spentName(spend: Spend): string | null {
  switch (spend.kind) {
    case 'assertion':
      return spend.key;
    case 'code':
      return spend.codeDigest;
    case 'refresh':
    case 'replay':
      return spend.tokenDigest;
    case 'reveal':
      return spend.revealId;
    case 'nothing':
      return null;
  }
}

async function storeMint(ctx: Ctx, waiting: Waiting): Promise<MintOutcome> {
  try {
    return await minterOf(ctx.db)(waiting);
  } catch (error) {
    if (isConnectionLoss(error)) return await lookUp(ctx, waiting.row.id, error);
    throw new Unavailable('Tokens cannot be stored right now.', {}, { cause: error });
  }
}

/** The connection broke between statement and answer: whether the token exists is asked, never guessed. */
async function lookUp(ctx: Ctx, credentialId: string, cause: unknown): Promise<MintOutcome> {
  try {
    const { rowCount } = await ctx.db.hot.query('SELECT 1 FROM credential WHERE id = $1', [credentialId]);
    if (rowCount) return 'minted';
  } catch {
    // The database does not answer at all: the same as not knowing.
  }
  throw new Unavailable('It is not known whether the token was stored. Ask again.', {}, { cause });
}

const minters = new WeakMap<Db, GroupCommit<Waiting, MintOutcome>>();

function minterOf(db: Db): GroupCommit<Waiting, MintOutcome> {
  let minter = minters.get(db);
  if (!minter) {
    minter = groupCommit<Waiting, MintOutcome>({
      maxRows: 64,
      // Fewer, fuller statements cost less in all; one that waits for a lock holds nobody else up for long.
      maxInFlight: 1,
      patienceMs: 25,
      isOutcomeUnknown: isConnectionLoss,
      async run(batch) {
        const plain = batch.every(({ row }) => row.spend === 'assertion' || row.spend === 'nothing');
        const { rows } = await db.hot.query<{ id: string }>({
          ...(plain ? mintByAssertion : mintByAnything),
          values: [
            JSON.stringify(batch.map(({ row }) => row)),
            JSON.stringify(batch.flatMap(({ events }) => events)),
          ],
        });
        const minted = new Set(rows.map((row) => row.id));
        return batch.map(({ row }) => (minted.has(row.id) ? 'minted' : 'refused'));
      },
    });
    minters.set(db, minter);
  }
  return minter;
}

const input = `
input AS MATERIALIZED (
  SELECT * FROM jsonb_to_recordset($1::jsonb) AS i(
    id text, kind text, agent_id text, instance_id text, client_id text, server_id text, binding_id text,
    binding_version int, epoch int, family_id text, grant_kind text, token_digest text, audience text, tools text[],
    kid text, issued_at timestamptz, expires_at timestamptz, client_digest text, spend text, spends text,
    spends_until timestamptz, prefix text, successor text, generation int, refresh_expires_at timestamptz)
),
-- Everything a token says must be so as it is stored. Of two rows of a batch that would spend the same, one is looked at.
allowed AS MATERIALIZED (
  SELECT DISTINCT ON (coalesce(i.spends, i.id)) i.*, b.first_issued_at, b.lifetime_seconds
    FROM input i
    JOIN client c ON c.id = i.client_id AND c.forgotten_at IS NULL AND c.metadata_digest = i.client_digest
    JOIN instance s ON s.id = i.instance_id AND s.client_id = i.client_id AND s.agent_id = i.agent_id AND s.state = 'active'
    JOIN agent a ON a.id = i.agent_id AND a.state = 'active' AND a.epoch = i.epoch
     AND (a.expires_at IS NULL OR a.expires_at >= i.expires_at)
    JOIN person p ON p.id = a.owner_id AND p.state = 'active'
    JOIN tool_binding b ON b.id = i.binding_id AND b.agent_id = i.agent_id AND b.server_id = i.server_id
     AND b.version = i.binding_version AND b.ended_at IS NULL AND b.valid_from <= i.issued_at
     AND i.tools <@ b.tool_names
     AND coalesce(b.expires_at, b.unused_ends_at) > i.issued_at
     AND i.expires_at <= coalesce(b.expires_at, i.issued_at + make_interval(secs => b.lifetime_seconds))
    JOIN mcp_server m ON m.id = i.server_id AND m.state = 'active' AND m.resource = i.audience
    JOIN signing_key k ON k.kid = i.kid AND k.purpose = 'token' AND k.state = 'active'
   WHERE NOT EXISTS (SELECT 1 FROM installation n WHERE n.issuance_stopped_at IS NOT NULL)
   ORDER BY coalesce(i.spends, i.id), i.id
),
assertion AS (
  INSERT INTO assertion_use (key, expires_at)
  SELECT l.spends, l.spends_until FROM allowed l WHERE l.spend = 'assertion' ORDER BY l.spends
  ON CONFLICT DO NOTHING RETURNING key
)`;

const wonByAssertion = `
  SELECT l.id FROM allowed l WHERE l.spend = 'nothing'
  UNION ALL SELECT l.id FROM allowed l JOIN assertion x ON x.key = l.spends WHERE l.spend = 'assertion'`;

const store = `
minted AS (
  INSERT INTO credential (id, kind, agent_id, instance_id, client_id, server_id, binding_id, binding_version, epoch,
    family_id, grant_kind, token_digest, audience, tools, kid, issued_at, expires_at)
  SELECT l.id, l.kind, l.agent_id, l.instance_id, l.client_id, l.server_id, l.binding_id, l.binding_version, l.epoch,
    l.family_id, l.grant_kind, l.token_digest, l.audience, l.tools, l.kid, l.issued_at, l.expires_at
    FROM allowed l WHERE l.id IN (SELECT id FROM won)
  RETURNING id
),
-- The clock of an approval starts with its first token.
clock AS (
  UPDATE tool_binding b SET first_issued_at = f.issued_at,
         expires_at = f.issued_at + make_interval(secs => b.lifetime_seconds)
    FROM (SELECT DISTINCT ON (l.binding_id) l.binding_id, l.issued_at FROM allowed l
           WHERE l.first_issued_at IS NULL AND l.id IN (SELECT id FROM won) ORDER BY l.binding_id, l.issued_at) f
   WHERE b.id = f.binding_id AND b.first_issued_at IS NULL
),
event AS (
  ${insertEvents('$2', `WHERE coalesce(e.data ->> 'credentialId', e.subject_id) IN (SELECT id FROM won)`)}
)
SELECT id FROM minted`;

/** Client credentials alone, the busiest grant: what no row of the batch needs is not in its plan. */
const mintByAssertion = {
  name: 'credentials.mint.assertion',
  text: `WITH ${input}, won AS MATERIALIZED (${wonByAssertion}), ${store}`,
};

const mintByAnything = {
  name: 'credentials.mint',
  text: `WITH ${input},
code AS (
  UPDATE authorization_code c SET used_at = l.issued_at, family_id = l.family_id FROM allowed l
   WHERE l.spend = 'code' AND c.code_digest = l.spends AND c.client_id = l.client_id AND c.instance_id = l.instance_id
     AND c.agent_id = l.agent_id AND c.agent_epoch = l.epoch AND c.resource = l.audience
     AND c.used_at IS NULL AND c.delivered_at IS NOT NULL AND c.expires_at > l.issued_at
  RETURNING l.id
),
begun AS (
  INSERT INTO refresh_family (id, instance_id, client_id, agent_id, server_id, resource, state, created_at)
  SELECT l.family_id, l.instance_id, l.client_id, l.agent_id, l.server_id, l.audience, 'live', l.issued_at
    FROM allowed l JOIN code USING (id) WHERE l.family_id IS NOT NULL
),
-- Locked, so that a family that dies at this moment does so before or after, not in between.
family AS MATERIALIZED (
  SELECT f.id FROM refresh_family f
   WHERE f.state = 'live' AND f.id IN (SELECT l.family_id FROM allowed l WHERE l.spend IN ('refresh', 'replay'))
   ORDER BY f.id FOR SHARE
),
used AS (
  UPDATE refresh_token t SET first_used_at = l.issued_at, successor_digest = l.successor, used_from_prefix = l.prefix
    FROM allowed l JOIN family ON family.id = l.family_id
   WHERE l.spend = 'refresh' AND t.token_digest = l.spends AND t.family_id = l.family_id
     AND t.first_used_at IS NULL AND t.expires_at > l.issued_at
  RETURNING l.id
),
again AS (
  UPDATE refresh_token t SET replay_count = t.replay_count + 1
    FROM allowed l JOIN family ON family.id = l.family_id
   WHERE l.spend = 'replay' AND t.token_digest = l.spends AND t.family_id = l.family_id
     AND t.first_used_at > l.issued_at - interval '30 seconds' AND t.replay_count < 5
     AND t.used_from_prefix = l.prefix AND t.successor_digest = l.successor
     AND EXISTS (SELECT 1 FROM refresh_token s WHERE s.token_digest = l.successor AND s.first_used_at IS NULL)
  RETURNING l.id
),
revealed AS (
  UPDATE reveal r SET minted_credential_ids = r.minted_credential_ids || l.id FROM allowed l
   WHERE l.spend = 'reveal' AND r.id = l.spends AND r.agent_id = l.agent_id AND r.server_id = l.server_id
     AND r.expires_at > l.issued_at AND cardinality(r.minted_credential_ids) = l.generation
  RETURNING l.id
),
successor AS (
  INSERT INTO refresh_token (token_digest, family_id, generation, issued_at, expires_at)
  SELECT l.successor, l.family_id, l.generation, l.issued_at, l.refresh_expires_at FROM allowed l
   WHERE l.generation IS NOT NULL AND l.id IN (SELECT id FROM code UNION ALL SELECT id FROM used)
),
won AS MATERIALIZED (${wonByAssertion}
  UNION ALL SELECT id FROM code UNION ALL SELECT id FROM used UNION ALL SELECT id FROM again
  UNION ALL SELECT id FROM revealed),
${store}`,
};
