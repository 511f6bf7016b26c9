import type { AgentPrincipal, ToolResource } from '#guard/decide/index.ts';
import type { ClientJwks } from '#lib/oauth/jwks.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import type { Db } from '#lib/platform/db.ts';
import { decide } from '#lib/policy/policies.ts';
import { type ApprovalProof, proofOf } from './approved-binding.ts';

/** A binding in force, as the minter needs it. */
export type BindingStanding = {
  id: string;
  version: number;
  serverId: string;
  serverName: string;
  resource: string;
  requestId: string;
  lifetimeSeconds: number;
  validFrom: Date;
  firstIssuedAt: Date | null;
  expiresAt: Date | null;
  unusedEndsAt: Date;
  /** Granted, still defined as approved, and permitted by policy at issuance: what a token may name. */
  tools: readonly { name: string; risk: string }[];
  /** Granted and still defined as approved, whatever policy says at issuance. */
  granted: ReadonlySet<string>;
  /** The agent as policies see it. */
  principal: AgentPrincipal;
  /** Whether the binding stays inside what was asked for and signed, in tools and in time. */
  withinApproval: boolean;
  /** The event that created it: parent of every issuance. */
  createEventId: string | null;
};

/** Everything about a client's authority at one moment. Read in one trip, judged by `judgeStanding`. */
export type Standing = {
  client: {
    id: string;
    metadataDigest: string;
    sourceId: string;
    authMethod: string;
    grantTypes: readonly string[];
    jwks: ClientJwks | null;
    secretDigest: string | null;
    secretExpiresAt: Date | null;
    forgottenAt: Date | null;
    quarantineEndsAt: Date;
  };
  instance: {
    id: string;
    state: string;
    quarantineEndsAt: Date | null;
    /** How many living instances the client has: `client_credentials` needs exactly one. */
    livingCount: number;
    /**
     * Digest of the client metadata the approval was made on. Null for an instance linked later, and for a metadata
     * document: that may change in ways nobody reviewed it for, and the watch over documents suspends the instance
     * when it changes in others.
     */
    approvedMetadataDigest: string | null;
  } | null;
  agent: {
    id: string;
    name: string;
    state: string;
    stateCause: string | null;
    epoch: number;
    clientClass: string;
    expiresAt: Date | null;
    ownerId: string;
    ownerState: string;
  } | null;
  request: { id: string; number: number; state: string } | null;
  issuanceStopped: boolean;
  bindings: readonly BindingStanding[];
};

type BindingTool = { name: string; class: string; risk: string };

type BindingJson = {
  id: string;
  version: number;
  serverId: string;
  serverName: string;
  resource: string;
  requestId: string;
  lifetimeSeconds: number;
  validFrom: string;
  firstIssuedAt: string | null;
  expiresAt: string | null;
  unusedEndsAt: string;
  purpose: { attended?: boolean; dataClass?: string } | null;
  askedTools: string[] | null;
  askedLifetimeSeconds: number | null;
  grantedTools: string[];
  toolVersionIds: string[];
  constraints: unknown;
  tools: BindingTool[] | null;
  createEventId: string | null;
  isEndedInHistory: boolean;
};

type StandingRow = {
  client_id: string;
  metadata_digest: string;
  source_id: string;
  auth_method: string;
  grant_types: string[];
  jwks: ClientJwks | null;
  secret_digest: string | null;
  secret_expires_at: Date | null;
  forgotten_at: Date | null;
  client_quarantine_ends_at: Date;
  instance_id: string | null;
  instance_state: string;
  instance_quarantine_ends_at: Date | null;
  living_count: number;
  approved_metadata_digest: string | null;
  agent_id: string | null;
  agent_name: string;
  agent_state: string;
  agent_state_cause: string | null;
  epoch: number;
  client_class: string;
  agent_expires_at: Date | null;
  owner_id: string;
  owner_state: string;
  request_id: string | null;
  request_number: number;
  request_state: string;
  issuance_stopped: boolean;
  bindings: BindingJson[] | null;
};

/**
 * One trip for everything. The instance is the given one; without one it is the client's living instance, or the
 * youngest of those that have ended (so that the answer can say how it ended). Tools are those whose current
 * definition is the approved one.
 */
const readStandingSql = {
  name: 'credentials.standing',
  text: `
SELECT c.id AS client_id, c.metadata_digest, c.source_id, c.token_endpoint_auth_method AS auth_method, c.grant_types,
       c.jwks, c.secret_digest, c.secret_expires_at,
       -- Unclaimed in time is not forgotten: its person can still ask, so it must not be told to register again.
       CASE WHEN c.forgotten_cause = 'unclaimed' THEN NULL ELSE c.forgotten_at END AS forgotten_at,
       c.quarantine_ends_at AS client_quarantine_ends_at,
       i.id AS instance_id, i.state AS instance_state, i.quarantine_ends_at AS instance_quarantine_ends_at,
       coalesce(i.living_count, 0)::int AS living_count,
       CASE WHEN i.reviewed_digest = '' THEN (SELECT x ->> 'metadataDigest'
          FROM tool_binding b JOIN request_revision r ON r.id = b.revision_id,
               jsonb_path_query(r.snapshot, '$.instances[*]') x
         WHERE b.agent_id = a.id AND b.ended_at IS NULL AND x ->> 'instanceId' = i.id
         ORDER BY b.version DESC LIMIT 1) END AS approved_metadata_digest,
       a.id AS agent_id, a.name AS agent_name, a.state AS agent_state, a.state_cause AS agent_state_cause, a.epoch,
       a.client_class, a.expires_at AS agent_expires_at, p.id AS owner_id, p.state AS owner_state,
       q.id AS request_id, q.number AS request_number, q.state AS request_state,
       coalesce((SELECT n.issuance_stopped_at IS NOT NULL FROM installation n WHERE n.id = 1), false) AS issuance_stopped,
       (SELECT json_agg(json_build_object(
          'id', b.id, 'version', b.version, 'serverId', b.server_id, 'serverName', m.name, 'resource', m.resource,
          'requestId', b.request_id, 'lifetimeSeconds', b.lifetime_seconds, 'validFrom', b.valid_from,
          'firstIssuedAt', b.first_issued_at, 'expiresAt', b.expires_at, 'unusedEndsAt', b.unused_ends_at,
          'purpose', r.purpose, 'askedLifetimeSeconds', r.lifetime_seconds, 'grantedTools', b.tool_names,
          'toolVersionIds', b.tool_version_ids, 'constraints', b.constraints,
          'askedTools', (SELECT json_agg(x ->> 'name') FROM jsonb_path_query(r.snapshot, '$.tools[*]') x
                          WHERE x ->> 'serverId' = b.server_id),
          'tools', (SELECT json_agg(json_build_object('name', t.name, 'class', v.class, 'risk', v.risk) ORDER BY t.name)
                      FROM tool t JOIN tool_version v ON v.tool_id = t.id AND v.version = t.current_version
                     WHERE t.server_id = b.server_id AND t.removed_at IS NULL AND v.id = ANY (b.tool_version_ids)
                       AND t.name = ANY (b.tool_names)),
          'createEventId', (SELECT e.id FROM audit_event e
                             WHERE e.subject_id = b.id AND e.kind = 'binding.create' ORDER BY e.at LIMIT 1),
          'isEndedInHistory', EXISTS (SELECT 1 FROM audit_event e
                             WHERE e.subject_id = b.id AND e.kind = 'binding.end' AND e.outcome = 'done'))
          ORDER BY m.resource)
          FROM tool_binding b JOIN mcp_server m ON m.id = b.server_id
          LEFT JOIN request_revision r ON r.id = b.revision_id
         WHERE b.agent_id = a.id AND b.ended_at IS NULL AND m.state = 'active') AS bindings
  FROM client c
  LEFT JOIN LATERAL (
    SELECT s.*, count(*) FILTER (WHERE s.state IN ('quarantined', 'active', 'suspended')) OVER () AS living_count
      FROM instance s WHERE s.client_id = c.id AND ($2::text IS NULL OR s.id = $2)
     ORDER BY (s.state IN ('quarantined', 'active', 'suspended')) DESC, s.created_at DESC LIMIT 1
  ) i ON true
  LEFT JOIN agent a ON a.id = i.agent_id
  LEFT JOIN person p ON p.id = a.owner_id
  LEFT JOIN LATERAL (
    SELECT r.id, r.number, r.state FROM registration_request r
     WHERE r.agent_id = a.id ORDER BY r.created_at DESC LIMIT 1
  ) q ON true
 WHERE c.id = $1`,
};

/** Reads a client's standing, of one instance if given. Null for a client nobody ever registered. */
export async function readStanding(
  ctx: Pick<Ctx, 'db' | 'clock'>,
  clientId: string,
  instanceId: string | null,
): Promise<Standing | null> {
  const { rows } = await ctx.db.hot.query<StandingRow>({
    ...readStandingSql,
    values: [clientId, instanceId],
  });
  const [row] = rows;
  if (!row) return null;
  const user = {
    agentId: row.agent_id ?? '',
    instanceId: row.instance_id ?? '',
    instanceState: row.instance_state,
    clientId,
  };
  const proofs = new Map<string, ApprovalProof>();
  for (const binding of row.bindings ?? []) {
    proofs.set(binding.id, await proofOf(ctx, { ...binding, ...user }));
  }
  return toStanding(row, proofs, ctx.clock.now());
}

function toStanding(row: StandingRow, proofs: ReadonlyMap<string, ApprovalProof>, now: Date): Standing {
  return {
    client: {
      id: row.client_id,
      metadataDigest: row.metadata_digest,
      sourceId: row.source_id,
      authMethod: row.auth_method,
      grantTypes: row.grant_types,
      jwks: row.jwks,
      secretDigest: row.secret_digest,
      secretExpiresAt: row.secret_expires_at,
      forgottenAt: row.forgotten_at,
      quarantineEndsAt: row.client_quarantine_ends_at,
    },
    instance: row.instance_id
      ? {
          id: row.instance_id,
          state: row.instance_state,
          quarantineEndsAt: row.instance_quarantine_ends_at,
          livingCount: row.living_count,
          approvedMetadataDigest: row.approved_metadata_digest,
        }
      : null,
    agent: row.agent_id
      ? {
          id: row.agent_id,
          name: row.agent_name,
          state: row.agent_state,
          stateCause: row.agent_state_cause,
          epoch: row.epoch,
          clientClass: row.client_class,
          expiresAt: row.agent_expires_at,
          ownerId: row.owner_id,
          ownerState: row.owner_state,
        }
      : null,
    request: row.request_id
      ? { id: row.request_id, number: row.request_number, state: row.request_state }
      : null,
    issuanceStopped: row.issuance_stopped,
    bindings: (row.bindings ?? []).map((binding) =>
      toBinding(row, binding, proofs.get(binding.id) ?? null, now),
    ),
  };
}

function toBinding(row: StandingRow, binding: BindingJson, proof: ApprovalProof, now: Date): BindingStanding {
  const asked = new Set(binding.askedTools ?? []);
  // A tool that is known by now to do more than read was not covered by an approval nobody signed.
  const covered = (binding.tools ?? []).filter((tool) => proof !== 'unsigned' || tool.class === 'read');
  const principal: AgentPrincipal = {
    id: row.agent_id ?? '',
    state: row.agent_state,
    owner: row.owner_id,
    source: row.source_id,
    clientClass: row.client_class,
    attended: binding.purpose?.attended === true,
    dataClass: binding.purpose?.dataClass ?? 'restricted',
  };
  return {
    id: binding.id,
    version: binding.version,
    serverId: binding.serverId,
    serverName: binding.serverName,
    resource: binding.resource,
    requestId: binding.requestId,
    lifetimeSeconds: binding.lifetimeSeconds,
    validFrom: new Date(binding.validFrom),
    firstIssuedAt: toDate(binding.firstIssuedAt),
    expiresAt: toDate(binding.expiresAt),
    unusedEndsAt: new Date(binding.unusedEndsAt),
    tools: permittedTools(principal, binding.serverId, covered, now),
    granted: new Set(covered.map((tool) => tool.name)),
    principal,
    withinApproval:
      proof !== null &&
      binding.grantedTools.every((name) => asked.has(name)) &&
      binding.lifetimeSeconds <= (binding.askedLifetimeSeconds ?? 0),
    createEventId: binding.createEventId,
  };
}

/** Policy decides at issuance too: a tool it refuses now is not in the token, and comes back when it permits again. */
function permittedTools(
  agent: AgentPrincipal,
  serverId: string,
  tools: readonly BindingTool[],
  now: Date,
): BindingStanding['tools'] {
  return tools.filter((tool) => {
    const resource = { serverId, ...tool } as ToolResource;
    return decide('issue', { agent, tool: resource, bound: true, at: now }, serverId).outcome === 'permit';
  });
}

function toDate(text: string | null): Date | null {
  return text === null ? null : new Date(text);
}

/** What a standing amounts to at one instant. Only `live` mints; the others say what the client is told and why. */
export type Verdict =
  | { kind: 'live'; agent: NonNullable<Standing['agent']>; instance: NonNullable<Standing['instance']> }
  /** Never claimed, or waiting for a decision. */
  | { kind: 'pending' }
  | { kind: 'rejected' }
  | { kind: 'unclaimed' }
  | { kind: 'suspended'; fatal: boolean }
  | { kind: 'owner-disabled' }
  | { kind: 'revoked' }
  | { kind: 'expired' }
  | { kind: 'forgotten' }
  /** The client's metadata is no longer what was approved: it waits for a person. */
  | { kind: 'changed' }
  | { kind: 'issuance-stopped' };

/** Causes of a suspension after which refresh families do not come back. */
const fatalCauses: ReadonlySet<string> = new Set(['compromise', 'reuse', 'key change', 'origin change']);

/** Judges a standing. Pure; the most final state wins, so that nothing that ended looks merely suspended. */
export function judgeStanding(standing: Standing, now: Date): Verdict {
  const { client, instance, agent, request } = standing;
  if (client.forgottenAt) return { kind: 'forgotten' };
  if (!instance) return client.quarantineEndsAt <= now ? { kind: 'unclaimed' } : { kind: 'pending' };
  if (instance.state === 'revoked' || agent?.state === 'revoked') return { kind: 'revoked' };
  if (instance.state === 'rejected') return { kind: 'rejected' };
  if (instance.state === 'expired')
    return agent && agent.state !== 'pending' ? { kind: 'expired' } : { kind: 'unclaimed' };
  if (instance.state === 'quarantined' || !agent || agent.state === 'pending') {
    if (request && ['rejected', 'withdrawn', 'expired'].includes(request.state)) return { kind: 'rejected' };
    // A request that was filed keeps the quarantine open until it is decided.
    if (!request && instance.quarantineEndsAt && instance.quarantineEndsAt <= now)
      return { kind: 'unclaimed' };
    return { kind: 'pending' };
  }
  if (agent.state === 'expired' || (agent.expiresAt && agent.expiresAt <= now)) return { kind: 'expired' };
  if (instance.state === 'suspended' || agent.state === 'suspended') {
    return { kind: 'suspended', fatal: fatalCauses.has(agent.stateCause ?? '') };
  }
  if (agent.ownerState !== 'active') return { kind: 'owner-disabled' };
  if (instance.approvedMetadataDigest !== null && instance.approvedMetadataDigest !== client.metadataDigest) {
    return { kind: 'changed' };
  }
  if (standing.issuanceStopped) return { kind: 'issuance-stopped' };
  return { kind: 'live', agent, instance };
}

/** When a binding ends: by its own clock once that runs, else when an approval nobody used does. */
export function bindingEndsAt(binding: BindingStanding): Date {
  return binding.expiresAt ?? binding.unusedEndsAt;
}

export function isInForce(binding: BindingStanding, now: Date): boolean {
  return binding.withinApproval && binding.validFrom <= now && bindingEndsAt(binding) > now;
}

// ── standings remembered for the hot path ───────────────────────────────────

type Remembered = { standing: Standing; atMs: number };
const remembered = new WeakMap<Db, Map<string, Remembered>>();
const maxRemembered = 5_000;
/** Nothing rests on this age: a token is stored only where the database still says what was read. */
const freshMs = 5_000;

/**
 * The standing of a client for `client_credentials`, remembered for a few seconds while it is live. A stale one can
 * only cost a second look, because minting re-checks every fact in the statement that stores the token.
 */
export async function recallStanding(ctx: Ctx, clientId: string): Promise<Standing | null> {
  const known = remembered.get(ctx.db)?.get(clientId);
  if (known && ctx.clock.monotonicMs() - known.atMs < freshMs) return known.standing;
  const standing = await readStanding(ctx, clientId, null);
  if (!standing) return null;
  if (judgeStanding(standing, ctx.clock.now()).kind === 'live') {
    let byClient = remembered.get(ctx.db);
    if (!byClient) {
      byClient = new Map();
      remembered.set(ctx.db, byClient);
    }
    byClient.delete(clientId);
    byClient.set(clientId, { standing, atMs: ctx.clock.monotonicMs() });
    if (byClient.size > maxRemembered) byClient.delete(byClient.keys().next().value as string);
  }
  return standing;
}

export function forgetStanding(db: Db, clientId: string): void {
  remembered.get(db)?.delete(clientId);
}

/** Called on every change heard of. */
export function forgetStandings(db: Db): void {
  remembered.delete(db);
}

/** Whoever proves itself with a secret, which can be copied unseen, gets low-risk tools only. */
export function toolsFor(standing: Standing, binding: BindingStanding): BindingStanding['tools'] {
  if (!standing.client.authMethod.startsWith('client_secret_')) return binding.tools;
  return binding.tools.filter((tool) => tool.risk === 'low');
}
