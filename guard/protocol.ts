/**
 * What gate and guard say to each other. Types and checks only: no clock, no
 * network, no keys, so both sides can import it.
 *
 * | Request | Asked with | Answered with |
 * | --- | --- | --- |
 * | `POST {issuer}/guards/enrol` | `EnrolRequest` | 201 `{ enrolment: JWS of Enrolment }` |
 * | `POST {issuer}/guards/nonce` | `NonceRequest` | 200 `{ clock: JWS of ClockReading }` |
 * | `GET {issuer}/guards/feed?nonce=…&from=…` | | SSE; each `data:` is one JWS of `FeedMessage` |
 * | `GET {issuer}/guards/sync?nonce=…&from=…` | | 200 `{ messages: JWS[] }`, a heartbeat last |
 * | `POST {issuer}/guards/acks` | `{ ack: JWS of Ack }` | 204 |
 * | `POST {issuer}/guards/reports` | `{ report: JWS of Report }` | 200 `ReportReceipt`; a gap is stored as a finding, not refused |
 *
 * Everything but enrolment carries `Authorization: Guard <JWS of GuardAuth>`.
 * Refusals are problem documents (RFC 9457) with a `code` from `guardRefusalCodes`.
 *
 * **Sequences.** Each MCP server is one slice with its own contiguous sequence:
 * the gate allocates numbers so that commit order is sequence order. `from` says
 * what the guard has, per slice: `srv_a:12,srv_b:40` (empty: nothing). The gate
 * answers each slice with the missing deltas, or with a snapshot.
 * `generation` is raised only when an administrator acknowledges a restored
 * backup; within one generation a head never goes back.
 *
 * **Time.** `…Ms` instants are Unix milliseconds on the *gate clock*: one clock
 * for all gate processes, the primary database's, carried forward on each
 * process's monotonic clock. The guard maps it to its own monotonic clock.
 */
import {
  anything,
  flag,
  type Infer,
  listOf,
  mapOf,
  object,
  oneOf,
  optional,
  ShapeError,
  taggedBy,
  text,
  whole,
} from './shape.ts';

export { ShapeError };

/** Raised when a guard of the older kind could no longer be served. */
export const guardProtocolVersion = 1;

export const guardPaths = {
  enrol: '/guards/enrol',
  nonce: '/guards/nonce',
  feed: '/guards/feed',
  sync: '/guards/sync',
  acks: '/guards/acks',
  reports: '/guards/reports',
} as const;

/** JWS `typ` of every kind of message; no two kinds share one, so none passes for another (RFC 8725 §3.11). */
export const messageTypes = {
  /** Signed by the guard. */
  enrolProof: 'guard-enrol+jwt',
  auth: 'guard-auth+jwt',
  ack: 'guard-ack+jwt',
  report: 'guard-report+jwt',
  /** Signed by the gate's feed key. */
  enrolment: 'countersign-enrolment+jwt',
  clock: 'countersign-clock+jwt',
  feed: 'countersign-feed+jwt',
  catalogue: 'countersign-catalogue+jwt',
  /** Signed by the gate's token key (RFC 9068). */
  accessToken: 'at+jwt',
} as const;

/** How long one heartbeat proves that nothing was revoked, from the time it was sent. */
export const leaseMs = 5_000;
/** How often the gate sends a heartbeat on every connection. */
export const heartbeatEveryMs = 1_000;
/** How often a guard maps the gate clock to its own again. */
export const clockEveryMs = 60_000;
/** Longest life of a `GuardAuth`; either side's wall clock may be 30 s off. */
export const guardAuthLifetimeSeconds = 60;
export const clockSkewSeconds = 30;
/** Longest life of a catalogue token. */
export const catalogueTokenLifetimeSeconds = 120;
/** A token lists its tools up to this many; beyond, it names the binding's tool-set digest. */
export const maxToolsInToken = 64;

export const guardRefusalCodes = [
  'join_token_invalid',
  'join_token_used',
  'guard_unknown',
  'guard_revoked',
  'guard_auth_invalid',
  'clock_skew',
  'protocol_unsupported',
  'not_this_guards_server',
] as const;
export type GuardRefusalCode = (typeof guardRefusalCodes)[number];

// ── keys ────────────────────────────────────────────────────────────────────

const jwk = object({
  kty: oneOf('OKP', 'EC'),
  crv: oneOf('Ed25519', 'P-256', 'X25519'),
  x: text(128),
  y: optional(text(128)),
  kid: optional(text(128)),
  alg: optional(oneOf('EdDSA', 'ES256')),
});
export type PublicJwk = Infer<typeof jwk>;

const jwks = object({ keys: listOf(jwk, 64) });
export type PublicJwks = Infer<typeof jwks>;

// ── enrolment ───────────────────────────────────────────────────────────────

/** Inside `csj_<base64url JSON>`: shown once by the console, good for 15 minutes and one guard. */
const joinToken = object({
  v: oneOf(1),
  /** Issuer, byte for byte as in the gate's metadata. */
  iss: text(512),
  /** RFC 7638 SHA-256 thumbprint of the feed key: the guard trusts nothing else on first use. */
  fkt: text(64),
  /** The one-time secret; the gate keeps only its SHA-256. */
  sec: text(128),
});
export type JoinToken = Infer<typeof joinToken>;

const joinTokenPrefix = 'csj_';

export function formatJoinToken(token: JoinToken): string {
  return joinTokenPrefix + Buffer.from(JSON.stringify(joinToken(token))).toString('base64url');
}

/** Throws `ShapeError` when the text is not a join token. */
export function parseJoinToken(value: string): JoinToken {
  const trimmed = value.trim();
  if (!trimmed.startsWith(joinTokenPrefix) || trimmed.length > 2048)
    throw new ShapeError('join token', `text starting with ${joinTokenPrefix}`);
  try {
    return joinToken(
      JSON.parse(Buffer.from(trimmed.slice(joinTokenPrefix.length), 'base64url').toString('utf8')),
      'join token',
    );
  } catch (cause) {
    if (cause instanceof ShapeError) throw cause;
    throw new ShapeError('join token', 'base64url JSON');
  }
}

/**
 * `proof` is a JWS by `signingKey`, typ `guard-enrol+jwt`, over
 * `{ aud: issuer, iat, exp, jti, sec: SHA-256 of the join secret, base64url }`.
 */
export const parseEnrolRequest = object({
  protocol: whole(1),
  /** Version of the guard's software. */
  version: text(64),
  /** What the guard calls itself, shown in the console. */
  name: text(128),
  joinSecret: text(128),
  /** Ed25519: signs this guard's requests, acks and reports. */
  signingKey: jwk,
  /** X25519: upstream credentials are encrypted to it. */
  encryptionKey: jwk,
  proof: text(4096),
});
export type EnrolRequest = Infer<typeof parseEnrolRequest>;

export const parseEnrolProof = object({
  aud: text(512),
  iat: whole(),
  exp: whole(),
  jti: text(128),
  sec: text(64),
});
export type EnrolProof = Infer<typeof parseEnrolProof>;

const upstreamFacts = taggedBy('kind', {
  /** `headers`: compact JWE (ECDH-ES, A256GCM) to this guard's encryption key, of a JSON object of header names and values. */
  http: object({ kind: oneOf('http'), url: text(2048), headers: optional(text(16_384)) }),
  /** The guard's own configuration says how to reach it, such as a stdio command. */
  local: object({ kind: oneOf('local') }),
});
/** Where the guard finds the real server. */
export type UpstreamFacts = { kind: 'http'; url: string; headers?: string } | { kind: 'local' };

const serverFacts = object({
  id: text(64),
  /** Name for people; also what local configuration may call the server by. */
  name: text(256),
  /** Canonical resource URI = the guard's public MCP URL = `aud` of tokens, byte for byte. */
  resource: text(2048),
});
export type ServerFacts = Infer<typeof serverFacts>;

/** Payload of `enrolment`, signed by the feed key whose thumbprint the join token carries. */
export const parseEnrolment = object({
  iss: text(512),
  /** The guard's id; `kid` and `iss` of what it signs. */
  guardId: text(64),
  feedKeys: jwks,
  /** Where people ask for access; denial texts link to it. */
  consoleOrigin: text(512),
  servers: listOf(serverFacts, 1000),
});
export type Enrolment = Infer<typeof parseEnrolment>;

// ── requests by an enrolled guard ───────────────────────────────────────────

/** Header `{ alg: EdDSA, typ: guard-auth+jwt, kid: guardId }`. */
export const parseGuardAuth = object({
  /** The guard's id. */
  iss: text(64),
  /** The issuer, as one string. */
  aud: text(512),
  iat: whole(),
  exp: whole(),
  /** Single use until `exp`. */
  jti: text(128),
  /** Method and path with query, as sent: `POST /guards/acks`. */
  req: text(4096),
  /** base64url SHA-256 of the request body; of nothing for GET. */
  bod: text(64),
});
export type GuardAuth = Infer<typeof parseGuardAuth>;

export const parseNonceRequest = object({ nonce: text(64) });
export type NonceRequest = Infer<typeof parseNonceRequest>;

export const parseClockReading = object({
  iss: text(512),
  guardId: text(64),
  /** The nonce of the request: an old answer maps no clock. */
  nonce: text(64),
  gateTimeMs: whole(),
});
export type ClockReading = Infer<typeof parseClockReading>;

/** What the guard holds of a slice. */
export type SlicePosition = { serverId: string; sequence: number };

export function formatPositions(positions: readonly SlicePosition[]): string {
  return positions.map((each) => `${each.serverId}:${each.sequence}`).join(',');
}

/** Throws `ShapeError` on anything but `id:number` pairs. */
export function parsePositions(value: string): SlicePosition[] {
  if (value === '') return [];
  return value.split(',').map((pair) => {
    const match = /^([A-Za-z0-9_-]{1,64}):(0|[1-9][0-9]{0,15})$/.exec(pair);
    if (!match?.[1] || !match[2]) throw new ShapeError('from', 'server:sequence pairs');
    return { serverId: match[1], sequence: whole()(Number(match[2]), 'from') };
  });
}

// ── what a slice holds ──────────────────────────────────────────────────────

export const toolClasses = ['read', 'write', 'destructive', 'external', 'unclassified'] as const;
export type ToolClass = (typeof toolClasses)[number];
export const toolRisks = ['low', 'medium', 'high'] as const;
export type ToolRisk = (typeof toolRisks)[number];

const toolFacts = object({
  name: text(512),
  class: oneOf(...toolClasses),
  risk: oneOf(...toolRisks),
  /** SHA-256 of the canonical definition that people reviewed, base64url. */
  definitionDigest: text(64),
});
export type ToolFacts = Infer<typeof toolFacts>;

export const agentStates = ['pending', 'active', 'suspended', 'revoked', 'expired'] as const;
export type AgentState = (typeof agentStates)[number];

const agentFacts = object({
  id: text(64),
  name: text(256),
  /** Raised by suspend and revoke; tokens of another epoch are dead. Never goes down. */
  epoch: whole(),
  state: oneOf(...agentStates),
  /** Id of the person or team that owns it. */
  owner: text(64),
  clientClass: text(64),
  source: text(64),
  /** From the approved purpose. */
  attended: flag,
  dataClass: text(64),
});
export type AgentFacts = Infer<typeof agentFacts>;

/** One condition on one argument, approved with the tool. An operator a guard does not know refuses the call. */
const constraint = object({
  /** RFC 6901 JSON Pointer into `arguments`. */
  pointer: text(512),
  operator: text(32),
  value: anything,
});
export type Constraint = Infer<typeof constraint>;

const grantedTool = object({ name: text(512), constraints: optional(listOf(constraint, 32)) });
export type GrantedTool = Infer<typeof grantedTool>;

const bindingFacts = object({
  id: text(64),
  agentId: text(64),
  /** Raised by narrowing; tokens of another version are dead. */
  version: whole(),
  tools: listOf(grantedTool, 10_000),
  /** `toolSetDigest(names)`, as in tokens too long to list their tools. */
  toolsDigest: text(64),
  validFromMs: whole(),
  /** Absent: no end of its own. */
  endsAtMs: optional(whole()),
});
export type BindingFacts = Infer<typeof bindingFacts>;

const policySlice = object({
  /** Names the whole policy set; changes with any policy. */
  version: text(64),
  /** Cedar text by policy id: those that could concern this server. */
  policies: mapOf(text(65_536)),
});
export type PolicySlice = Infer<typeof policySlice>;

// ── the feed ────────────────────────────────────────────────────────────────

/** One fact of a slice. Replaying entries over a snapshot gives the snapshot of their last sequence. */
const entryHead = {
  sequence: whole(1),
  /** When the change committed. */
  atMs: whole(),
  /** The revocation this is part of, for its receipt. */
  revocationId: optional(text(64)),
};
export const parseEntry = taggedBy('kind', {
  /** A new agent, a raised epoch, a changed fact. */
  'agent.changed': object({ ...entryHead, kind: oneOf('agent.changed'), agent: agentFacts }),
  'binding.changed': object({ ...entryHead, kind: oneOf('binding.changed'), binding: bindingFacts }),
  'binding.ended': object({
    ...entryHead,
    kind: oneOf('binding.ended'),
    bindingId: text(64),
    cause: text(64),
  }),
  /** Tokens ended before their time, and whole credential families; of no interest after `untilMs`, when all have expired. */
  'credentials.ended': object({
    ...entryHead,
    kind: oneOf('credentials.ended'),
    tokenIds: listOf(text(128), 10_000),
    families: listOf(text(64), 10_000),
    untilMs: whole(),
  }),
  'server.changed': object({
    ...entryHead,
    kind: oneOf('server.changed'),
    server: serverFacts,
    tools: listOf(toolFacts, 10_000),
  }),
  'policy.changed': object({ ...entryHead, kind: oneOf('policy.changed'), policy: policySlice }),
  /** The token keys now in use; a key not among them verifies nothing. */
  'keys.changed': object({ ...entryHead, kind: oneOf('keys.changed'), tokenKeys: jwks }),
  /** Dead at once and for good, whatever a later `keys.changed` says. */
  'key.killed': object({ ...entryHead, kind: oneOf('key.killed'), kid: text(128) }),
} as const) as (value: unknown, path?: string) => FeedEntry;

type EntryHead = { sequence: number; atMs: number; revocationId?: string };
export type FeedEntry = EntryHead &
  (
    | { kind: 'agent.changed'; agent: AgentFacts }
    | { kind: 'binding.changed'; binding: BindingFacts }
    | { kind: 'binding.ended'; bindingId: string; cause: string }
    | { kind: 'credentials.ended'; tokenIds: string[]; families: string[]; untilMs: number }
    | { kind: 'server.changed'; server: ServerFacts; tools: ToolFacts[] }
    | { kind: 'policy.changed'; policy: PolicySlice }
    | { kind: 'keys.changed'; tokenKeys: PublicJwks }
    | { kind: 'key.killed'; kid: string }
  );

const snapshot = object({
  type: oneOf('snapshot'),
  iss: text(512),
  generation: whole(),
  head: whole(),
  server: serverFacts,
  tools: listOf(toolFacts, 10_000),
  /** Every agent with a binding here, ended ones for as long as a token of theirs could live, plus 60 s. */
  agents: listOf(agentFacts),
  /** Live ones only: a binding that is not here permits nothing. */
  bindings: listOf(bindingFacts),
  policy: policySlice,
  tokenKeys: jwks,
  killedKeys: listOf(text(128)),
  /** Tokens and families that ended before their time and could still be presented. */
  endedCredentials: optional(listOf(object({ id: text(128), untilMs: whole() }))),
});
/** A whole slice; the same bytes for every guard of the server. */
export type Snapshot = Infer<typeof snapshot>;

const delta = object({
  type: oneOf('delta'),
  iss: text(512),
  generation: whole(),
  serverId: text(64),
  /** Contiguous. The same bytes for every guard of the server. */
  entries: listOf((value, path) => parseEntry(value, path), 10_000),
});
export type Delta = Infer<typeof delta>;

const heartbeat = object({
  type: oneOf('heartbeat'),
  iss: text(512),
  guardId: text(64),
  /** The nonce this connection was opened with. */
  nonce: text(64),
  /** Gate clock at signing; signed within 1 s of reading the heads from the primary. */
  sentAtMs: whole(),
  generation: whole(),
  /** Never goes down; raised together with killing every token key at once. */
  issuerEpoch: whole(),
  slices: listOf(
    object({
      serverId: text(64),
      head: whole(),
      /** `SliceDigest` of agents' epochs, bindings' versions and killed keys at `head`. */
      denySetDigest: text(64),
    }),
    1000,
  ),
  /** The newest signed checkpoint of the audit log, if there is one: the guard is a witness that it was published. */
  checkpoint: optional(text(4096)),
});
export type Heartbeat = Infer<typeof heartbeat>;

const setup = object({
  type: oneOf('setup'),
  iss: text(512),
  guardId: text(64),
  /** The nonce this connection was opened with. */
  nonce: text(64),
  consoleOrigin: text(512),
  /** All slices this guard enforces; others it still holds end now. */
  servers: listOf(
    object({ serverId: text(64), upstream: upstreamFacts as (v: unknown, p?: string) => UpstreamFacts }),
    1000,
  ),
  /** Feed keys from now on. */
  feedKeys: jwks,
});
/** First on every connection, and again when any of it changes. */
export type Setup = Infer<typeof setup>;

/** Order on a connection: setup, then a snapshot or deltas per slice, then a heartbeat; from then on as things happen. */
export type FeedMessage = Snapshot | Delta | Heartbeat | Setup;
export const parseFeedMessage = taggedBy('type', { snapshot, delta, heartbeat, setup } as Record<
  string,
  (value: unknown, path?: string) => unknown
>) as (value: unknown, path?: string) => FeedMessage;

// ── testimony of the guard ──────────────────────────────────────────────────

const refusal = object({
  serverId: text(64),
  /** The entry that ended the agent's authority. */
  sequence: whole(1),
  agentId: text(64),
  /** Gate clock; null while no call came. */
  firstRefusedAtMs: (value: unknown, path?: string) => (value === null ? null : whole()(value, path)),
  lastAcceptedAtMs: (value: unknown, path?: string) => (value === null ? null : whole()(value, path)),
});
export type RefusalFacts = Infer<typeof refusal>;

/** Payload of `ack`; header kid = guard id. Sent at once after a delta took effect, and when a first refusal happens. */
export const parseAck = object({
  iss: text(64),
  aud: text(512),
  iat: whole(),
  jti: text(128),
  generation: whole(),
  /** In force at the guard up to this sequence, since `appliedAtMs`. */
  applied: listOf(object({ serverId: text(64), sequence: whole(), appliedAtMs: whole() }), 1000),
  refusals: listOf(refusal, 10_000),
  /** The gate offered less than this guard has seen: a restored backup. The gate stops issuing. */
  ahead: listOf(
    object({ serverId: text(64), knownHead: whole(), offeredHead: whole(), generation: whole() }),
    1000,
  ),
});
export type Ack = Infer<typeof parseAck>;

const recordHead = {
  /** 1, 2, 3 … over the guard's life; a gap is a finding. */
  number: whole(1),
  /** base64url SHA-256 of the previous record's canonical JSON; of nothing for number 1. */
  previous: text(64),
  /** Gate clock, as well as the guard knew it. */
  atMs: whole(),
};

const callRecord = object({
  ...recordHead,
  kind: oneOf('call'),
  serverId: text(64),
  outcome: oneOf('accepted', 'refused'),
  evaluationId: text(64),
  method: text(128),
  /** Tool, prompt or resource named in the call, as sent. */
  target: optional(text(2048)),
  agentId: optional(text(64)),
  bindingId: optional(text(64)),
  bindingVersion: optional(whole()),
  clientId: optional(text(2048)),
  subject: optional(text(256)),
  tokenId: optional(text(128)),
  keyId: optional(text(128)),
  toolClass: optional(oneOf(...toolClasses)),
  toolRisk: optional(oneOf(...toolRisks)),
  /** base64url SHA-256 of the arguments' canonical JSON. */
  argumentsDigest: optional(text(64)),
  /** Codes of the reasons, first the deciding one. */
  reasons: listOf(text(64), 16),
  policyVersion: optional(text(64)),
  policies: listOf(text(128), 64),
});
const completedRecord = object({
  ...recordHead,
  kind: oneOf('completed'),
  serverId: text(64),
  evaluationId: text(64),
  outcome: oneOf('answered', 'failed', 'cut'),
  durationMs: whole(),
});
/** Calls nobody could be named for: one record per server, reason and minute. */
const anonymousRecord = object({
  ...recordHead,
  kind: oneOf('anonymous'),
  serverId: text(64),
  reason: text(64),
  count: whole(1),
  sinceMs: whole(),
  sampleAddress: optional(text(64)),
});
const conditionRecord = object({
  ...recordHead,
  kind: oneOf('condition'),
  condition: oneOf(
    'started',
    'lease_lost',
    'lease_regained',
    'spool_full',
    'spool_free',
    'feed_refused',
    'tools_differ',
  ),
  serverId: optional(text(64)),
  detail: optional(text(1024)),
});
/** Text in a record is what a client sent: untrusted, cut to length. */
export type ReportRecord =
  | Infer<typeof callRecord>
  | Infer<typeof completedRecord>
  | Infer<typeof anonymousRecord>
  | Infer<typeof conditionRecord>;
export const parseRecord = taggedBy('kind', {
  call: callRecord,
  completed: completedRecord,
  anonymous: anonymousRecord,
  condition: conditionRecord,
} as Record<string, (value: unknown, path?: string) => unknown>) as (
  value: unknown,
  path?: string,
) => ReportRecord;

/** Payload of `report`; header kid = guard id. Records contiguous, at most 500. */
export const parseReport = object({
  iss: text(64),
  aud: text(512),
  iat: whole(),
  jti: text(128),
  records: listOf((value: unknown, path?: string) => parseRecord(value, path), 500),
});
export type Report = Infer<typeof parseReport>;

/** `acceptedThrough` n: stored durably up to n, send from n + 1. Records sent twice are taken once. */
export const parseReportReceipt = object({ acceptedThrough: whole() });
export type ReportReceipt = Infer<typeof parseReportReceipt>;

// ── access tokens ───────────────────────────────────────────────────────────

const countersignClaims = object({
  agent: text(64),
  epoch: whole(),
  binding: text(64),
  version: whole(),
  family: text(64),
  source: text(64),
  class: text(64),
  tools: optional(listOf(text(512), maxToolsInToken)),
  toolsDigest: optional(text(64)),
});

/** Claims of an access token (RFC 9068) the gate mints and a guard accepts. */
export const parseAccessTokenClaims = object({
  iss: text(512),
  sub: text(256),
  /** One string, the resource URI; a list is refused. */
  aud: text(2048),
  client_id: text(2048),
  iat: whole(),
  exp: whole(),
  jti: text(128),
  /** `mcp` and one `tool:<name>` each, percent-encoded where a name needs it. */
  scope: text(65_536),
  cs: countersignClaims,
});
export type AccessTokenClaims = Infer<typeof parseAccessTokenClaims>;

/**
 * Payload of a catalogue token, signed by the feed key: lets the gate's own MCP
 * client read the unfiltered lists through a guard, and nothing else.
 */
export const parseCatalogueClaims = object({
  iss: text(512),
  aud: text(2048),
  iat: whole(),
  exp: whole(),
  jti: text(128),
});
export type CatalogueClaims = Infer<typeof parseCatalogueClaims>;
