import { KeyObject, randomBytes, randomUUID } from 'node:crypto';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { type CryptoKey, calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';
import { toolDefinitionDigest, toolSetDigest } from '../canonical.ts';
import {
  type FeedKey,
  followsRecord,
  GuardRefused,
  recordDigest,
  Slice,
  sealUpstreamHeaders,
  signCatalogueToken,
  signClockReading,
  signEnrolment,
  signFeedMessage,
  verifyAck,
  verifyEnrolRequest,
  verifyGuardRequest,
  verifyReport,
} from '../gate-side.ts';
import {
  type AccessTokenClaims,
  type Ack,
  type AgentFacts,
  type BindingFacts,
  type FeedEntry,
  type FeedMessage,
  formatJoinToken,
  guardPaths,
  heartbeatEveryMs,
  type PolicySlice,
  type PublicJwk,
  parseNonceRequest,
  parsePositions,
  type ReportRecord,
  type ServerFacts,
  type Snapshot,
  type ToolFacts,
} from '../protocol.ts';

/** Omit over each kind of a union. */
type WithoutHead<E> = E extends FeedEntry ? Omit<E, 'sequence' | 'atMs'> : never;

type Connection = { guardId: string; nonce: string; response: http.ServerResponse };
type EnrolledGuard = { signingKey: PublicJwk; encryptionKey: PublicJwk; revoked: boolean };
type KnownServer = {
  slice: Slice;
  log: FeedEntry[];
  upstream: { url: string; headers?: Record<string, string> } | null;
};

/** Policies that let bound tools of active agents through; enough for most tests. */
export const boundOnly: PolicySlice = {
  version: 'pol_1',
  policies: {
    bound: 'permit (principal, action, resource) when { context.bound && principal.state == "active" };',
  },
};

/**
 * A gate small enough for tests: real keys, real HTTP, the real wire protocol
 * over facts held in memory. It mints what it is told to, so it is for tests
 * only. One per test file or test; close it.
 */
export class SmallGate {
  issuer = '';
  readonly consoleOrigin = 'http://countersign.localhost:3000';
  readonly servers = new Map<string, KnownServer>();
  readonly guards = new Map<string, EnrolledGuard>();
  readonly acks: (Ack & { receivedAtMs: number })[] = [];
  readonly records: ReportRecord[] = [];
  /** While false, connections stay open and say nothing. */
  heartbeats = true;
  /** While true, the gate accepts connections and answers nothing. */
  silent = false;
  /** While true, changes are not pushed; a sync brings them. */
  silentFeed = false;
  /** While true, reports are answered 503. */
  refuseReports = false;
  generation = 1;
  issuerEpoch = 1;
  /** Every message that went out on a feed, for replays. */
  readonly sent: string[] = [];
  feedKey!: FeedKey;
  tokenKeyId = 'tok-1';
  #tokenKey!: CryptoKey;
  #tokenJwk!: PublicJwk;
  #feedJwk!: PublicJwk;
  readonly #joinSecrets = new Map<string, string[]>();
  readonly #connections = new Set<Connection>();
  readonly #usedTokenIds = new Set<string>();
  #server: http.Server | null = null;
  #port = 0;
  #beat: NodeJS.Timeout | null = null;

  /** `issuerPort`: the port guards are told, when something stands between them and the gate. */
  static async start(port = 0, issuerPort?: number): Promise<SmallGate> {
    const gate = new SmallGate();
    const feed = await generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true });
    const token = await generateKeyPair('EdDSA', { crv: 'Ed25519' });
    gate.feedKey = { kid: 'feed-1', privateKey: KeyObject.from(feed.privateKey) };
    gate.#feedJwk = { ...((await exportJWK(feed.publicKey)) as PublicJwk), kid: 'feed-1', alg: 'EdDSA' };
    gate.#tokenKey = token.privateKey;
    gate.#tokenJwk = {
      ...((await exportJWK(token.publicKey)) as PublicJwk),
      kid: gate.tokenKeyId,
      alg: 'EdDSA',
    };
    await gate.listen(port);
    gate.issuer = `http://127.0.0.1:${issuerPort ?? gate.#port}`;
    gate.#beat = setInterval(() => void gate.beat(), heartbeatEveryMs).unref();
    return gate;
  }

  async listen(port = this.#port): Promise<void> {
    this.#server = http.createServer((request, response) => void this.#serve(request, response));
    await new Promise<void>((resolve) => this.#server?.listen(port, '127.0.0.1', resolve));
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  /** Stops listening and drops every connection; `listen` brings it back. */
  async hangUp(): Promise<void> {
    this.#connections.clear();
    await new Promise<void>((resolve) => {
      this.#server?.close(() => resolve());
      this.#server?.closeAllConnections();
    });
  }

  async close(): Promise<void> {
    if (this.#beat) clearInterval(this.#beat);
    await this.hangUp();
  }

  get tokenKeys(): { keys: PublicJwk[] } {
    return { keys: [this.#tokenJwk] };
  }

  get publicTokenKey(): PublicJwk {
    return this.#tokenJwk;
  }

  addServer(facts: {
    server: ServerFacts;
    tools: ToolFacts[];
    upstream?: { url: string; headers?: Record<string, string> } | null;
    policy?: PolicySlice;
  }): void {
    const snapshot: Snapshot = {
      type: 'snapshot',
      iss: this.issuer,
      generation: this.generation,
      head: 0,
      server: facts.server,
      tools: facts.tools,
      agents: [],
      bindings: [],
      policy: facts.policy ?? boundOnly,
      tokenKeys: this.tokenKeys,
      killedKeys: [],
    };
    this.servers.set(facts.server.id, {
      slice: new Slice(snapshot),
      log: [],
      upstream: facts.upstream ?? null,
    });
  }

  async joinToken(...serverIds: string[]): Promise<string> {
    const sec = randomBytes(32).toString('base64url');
    this.#joinSecrets.set(sec, serverIds);
    return formatJoinToken({
      v: 1,
      iss: this.issuer,
      fkt: await calculateJwkThumbprint(this.#feedJwk as JWK, 'sha256'),
      sec,
    });
  }

  /** Appends an entry to a slice and tells every connected guard. */
  async publish(serverId: string, entry: WithoutHead<FeedEntry>): Promise<FeedEntry> {
    const known = this.#known(serverId);
    const whole = { ...entry, sequence: known.slice.head + 1, atMs: Date.now() } as FeedEntry;
    known.slice.apply(whole);
    known.log.push(whole);
    await this.#broadcast(await this.#delta(serverId, [whole]));
    return whole;
  }

  /** An active agent with one binding for `tools`. */
  async grant(
    serverId: string,
    tools: readonly (string | BindingFacts['tools'][number])[],
    over: { agent?: Partial<AgentFacts>; binding?: Partial<BindingFacts> } = {},
  ): Promise<{ agent: AgentFacts; binding: BindingFacts }> {
    const agent: AgentFacts = {
      id: `agt_${randomUUID()}`,
      name: 'Test agent',
      epoch: 1,
      state: 'active',
      owner: 'prs_1',
      clientClass: 'interactive',
      source: 'src_1',
      attended: true,
      dataClass: 'internal',
      ...over.agent,
    };
    const granted = tools.map((tool) => (typeof tool === 'string' ? { name: tool } : tool));
    const binding: BindingFacts = {
      id: `bnd_${randomUUID()}`,
      agentId: agent.id,
      version: 1,
      tools: granted,
      toolsDigest: toolSetDigest(granted.map(({ name }) => name)),
      validFromMs: 0,
      ...over.binding,
    };
    await this.publish(serverId, { kind: 'agent.changed', agent });
    await this.publish(serverId, { kind: 'binding.changed', binding });
    return { agent, binding };
  }

  /** Raises the agent's epoch, as suspend and revoke do. */
  async stopAgent(
    serverId: string,
    agentId: string,
    state: 'suspended' | 'revoked' = 'revoked',
  ): Promise<FeedEntry> {
    const agent = this.#known(serverId).slice.agents.get(agentId);
    if (!agent) throw new TypeError('no such agent');
    return this.publish(serverId, {
      kind: 'agent.changed',
      agent: { ...agent, epoch: agent.epoch + 1, state },
    });
  }

  /** An access token as the gate mints them; `over` replaces claims, `header` header members. */
  async mint(
    serverId: string,
    { agent, binding }: { agent: AgentFacts; binding: BindingFacts },
    over: Partial<AccessTokenClaims> & { cs?: Partial<AccessTokenClaims['cs']> } = {},
    header: Record<string, unknown> = {},
    key: CryptoKey = this.#tokenKey,
  ): Promise<string> {
    const now = Math.floor(Date.now() / 1000);
    const tools = binding.tools.map(({ name }) => name);
    const { cs, ...claims } = over;
    return new SignJWT({
      iss: this.issuer,
      sub: agent.owner,
      aud: this.#known(serverId).slice.server.resource,
      client_id: 'cli_1',
      iat: now,
      exp: now + 600,
      jti: randomUUID(),
      scope: ['mcp', ...tools.map((name) => `tool:${encodeURIComponent(name)}`)].join(' '),
      ...claims,
      cs: {
        agent: agent.id,
        epoch: agent.epoch,
        binding: binding.id,
        version: binding.version,
        family: 'fam_1',
        source: agent.source,
        class: agent.clientClass,
        tools,
        ...cs,
      },
    } as Record<string, unknown>)
      .setProtectedHeader({ alg: 'EdDSA', typ: 'at+jwt', kid: this.tokenKeyId, ...header })
      .sign(key);
  }

  /** Any payload, signed as an access token. */
  async resign(payload: Record<string, unknown>): Promise<string> {
    const header = { alg: 'EdDSA', typ: 'at+jwt', kid: this.tokenKeyId };
    return new SignJWT(payload).setProtectedHeader(header).sign(this.#tokenKey);
  }

  async publicFeedKey(): Promise<PublicJwk> {
    return this.#feedJwk;
  }

  async mintCatalogueToken(serverId: string): Promise<string> {
    const iat = Math.floor(Date.now() / 1000);
    const aud = this.#known(serverId).slice.server.resource;
    return signCatalogueToken(this.feedKey, { iss: this.issuer, aud, iat, exp: iat + 60, jti: randomUUID() });
  }

  /** Sends a heartbeat to every connection now. */
  async beat(): Promise<void> {
    if (!this.heartbeats || this.silent) return;
    for (const connection of this.#connections)
      this.#write(connection, await this.#heartbeat(connection.guardId, connection.nonce));
  }

  /** Writes bytes of any origin to every feed, as someone on the path could. */
  sendRaw(jws: string): void {
    for (const connection of this.#connections) this.#write(connection, jws);
  }

  async sign(message: FeedMessage): Promise<string> {
    return signFeedMessage(this.feedKey, message);
  }

  /** Announces the new key by the old one on every connection, then signs with it. */
  async rotateFeedKey(key: FeedKey, jwk: PublicJwk): Promise<void> {
    this.#feedJwk = jwk;
    for (const connection of this.#connections) {
      const [setup] = await this.#catchUp(connection.guardId, connection.nonce, '');
      if (setup) this.#write(connection, setup);
    }
    this.feedKey = key;
    await this.beat();
  }

  get port(): number {
    return this.#port;
  }

  get connectionCount(): number {
    return this.#connections.size;
  }

  #known(serverId: string): KnownServer {
    const known = this.servers.get(serverId);
    if (!known) throw new TypeError(`no server ${serverId}`);
    return known;
  }

  // ── HTTP ──────────────────────────────────────────────────────────────────

  async #serve(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    if (this.silent) return;
    const body = Buffer.concat(chunks);
    const url = new URL(request.url ?? '/', this.issuer);
    try {
      if (url.pathname === guardPaths.enrol) return await this.#enrol(body, response);
      const path = url.pathname + url.search;
      const { guardId, jti } = await verifyGuardRequest(
        { authorization: request.headers.authorization, method: request.method ?? '', path, body },
        { issuer: this.issuer, nowSeconds: Date.now() / 1000, keyOf: (id) => this.#guard(id).signingKey },
      );
      if (this.#usedTokenIds.has(jti)) throw new GuardRefused('guard_auth_invalid', 'used before');
      this.#usedTokenIds.add(jti);
      await this.#answer(url, guardId, body, response);
    } catch (cause) {
      const code = cause instanceof GuardRefused ? cause.code : 'failed';
      if (!response.headersSent)
        json(response, cause instanceof GuardRefused ? (code === 'guard_revoked' ? 403 : 401) : 500, {
          code,
        });
      if (!(cause instanceof GuardRefused)) console.error(cause);
    }
  }

  #guard(guardId: string): EnrolledGuard {
    const guard = this.guards.get(guardId);
    if (!guard) throw new GuardRefused('guard_unknown', guardId);
    if (guard.revoked) throw new GuardRefused('guard_revoked', guardId);
    return guard;
  }

  async #enrol(body: Buffer, response: http.ServerResponse): Promise<void> {
    const expect = { issuer: this.issuer, nowSeconds: Date.now() / 1000 };
    const request = await verifyEnrolRequest(JSON.parse(body.toString()), expect);
    const serverIds = this.#joinSecrets.get(request.joinSecret);
    if (!serverIds) throw new GuardRefused('join_token_invalid', 'not one of ours');
    this.#joinSecrets.delete(request.joinSecret);
    const guardId = `grd_${randomUUID()}`;
    const { signingKey, encryptionKey } = request;
    this.guards.set(guardId, { signingKey, encryptionKey, revoked: false });
    const enrolment = signEnrolment(this.feedKey, {
      iss: this.issuer,
      guardId,
      feedKeys: { keys: [this.#feedJwk] },
      consoleOrigin: this.consoleOrigin,
      servers: serverIds.map((id) => this.#known(id).slice.server),
    });
    json(response, 201, { enrolment });
  }

  async #answer(url: URL, guardId: string, body: Buffer, response: http.ServerResponse): Promise<void> {
    const { signingKey: key } = this.#guard(guardId);
    switch (url.pathname) {
      case guardPaths.nonce: {
        const { nonce } = parseNonceRequest(JSON.parse(body.toString()));
        const reading = { iss: this.issuer, guardId, nonce, gateTimeMs: Date.now() };
        return json(response, 200, { clock: signClockReading(this.feedKey, reading) });
      }
      case guardPaths.feed: {
        const nonce = url.searchParams.get('nonce') ?? '';
        response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
        const connection = { guardId, nonce, response };
        for (const jws of await this.#catchUp(guardId, nonce, url.searchParams.get('from') ?? ''))
          this.#write(connection, jws);
        this.#connections.add(connection);
        response.on('close', () => this.#connections.delete(connection));
        if (this.heartbeats) this.#write(connection, await this.#heartbeat(guardId, nonce));
        return;
      }
      case guardPaths.sync: {
        const nonce = url.searchParams.get('nonce') ?? '';
        const messages = await this.#catchUp(guardId, nonce, url.searchParams.get('from') ?? '');
        return json(response, 200, { messages: [...messages, await this.#heartbeat(guardId, nonce)] });
      }
      case guardPaths.acks: {
        const ack = await verifyAck(JSON.parse(body.toString()).ack, { issuer: this.issuer, guardId, key });
        this.acks.push({ ...ack, receivedAtMs: Date.now() });
        response.writeHead(204).end();
        return;
      }
      case guardPaths.reports: {
        if (this.refuseReports) return json(response, 503, { code: 'unavailable' });
        const report = await verifyReport(JSON.parse(body.toString()).report, {
          issuer: this.issuer,
          guardId,
          key,
        });
        for (const record of report.records) {
          const last = this.records.at(-1);
          if (last && record.number <= last.number) continue;
          if (!followsRecord(record, last ? { number: last.number, digest: recordDigest(last) } : null))
            throw new GuardRefused('guard_auth_invalid', 'the chain is broken');
          this.records.push(record);
        }
        return json(response, 200, { acceptedThrough: this.records.at(-1)?.number ?? 0 });
      }
      default:
        return json(response, 404, { code: 'not_found' });
    }
  }

  /** Setup, then what each slice lacks: deltas where it has something, else a snapshot. */
  async #catchUp(guardId: string, nonce: string, from: string): Promise<string[]> {
    const { encryptionKey } = this.#guard(guardId);
    const positions = new Map(parsePositions(from).map(({ serverId, sequence }) => [serverId, sequence]));
    const servers = await Promise.all(
      [...this.servers].map(async ([serverId, { upstream }]) => ({
        serverId,
        upstream: upstream
          ? {
              kind: 'http' as const,
              url: upstream.url,
              ...(upstream.headers
                ? { headers: await sealUpstreamHeaders(encryptionKey, upstream.headers) }
                : {}),
            }
          : { kind: 'local' as const },
      })),
    );
    const { issuer: iss, consoleOrigin } = this;
    const messages = [
      await this.sign({
        type: 'setup',
        iss,
        guardId,
        nonce,
        consoleOrigin,
        servers,
        feedKeys: { keys: [this.#feedJwk] },
      }),
    ];
    for (const [serverId, { slice, log }] of this.servers) {
      const has = positions.get(serverId);
      if (has === undefined || has > slice.head) messages.push(await this.sign(this.snapshot(serverId)));
      else if (has < slice.head) messages.push(await this.#delta(serverId, log.slice(has)));
    }
    return messages;
  }

  snapshot(serverId: string): Snapshot {
    const { slice } = this.#known(serverId);
    return {
      type: 'snapshot',
      iss: this.issuer,
      generation: this.generation,
      head: slice.head,
      server: slice.server,
      tools: [...slice.tools.values()],
      agents: [...slice.agents.values()],
      bindings: [...slice.bindings.values()],
      policy: slice.policy,
      tokenKeys: this.tokenKeys,
      killedKeys: [...slice.killedKeys],
    };
  }

  async #delta(serverId: string, entries: FeedEntry[]): Promise<string> {
    return this.sign({ type: 'delta', iss: this.issuer, generation: this.generation, serverId, entries });
  }

  async #heartbeat(guardId: string, nonce: string): Promise<string> {
    return this.sign({
      type: 'heartbeat',
      iss: this.issuer,
      guardId,
      nonce,
      sentAtMs: Date.now(),
      generation: this.generation,
      issuerEpoch: this.issuerEpoch,
      slices: [...this.servers].map(([serverId, { slice }]) => ({
        serverId,
        head: slice.head,
        denySetDigest: slice.denySetDigest(),
      })),
    });
  }

  async #broadcast(jws: string): Promise<void> {
    if (this.silent || this.silentFeed) return;
    for (const connection of this.#connections) this.#write(connection, jws);
  }

  #write({ response }: Connection, jws: string): void {
    this.sent.push(jws);
    response.write(`data: ${jws}\n\n`);
  }
}

/** Facts of a tool as the catalogue would hold them after review. */
export function reviewedTool(
  tool: { name: string } & object,
  facts: Pick<ToolFacts, 'class' | 'risk'> = { class: 'read', risk: 'low' },
): ToolFacts {
  return { name: tool.name, ...facts, definitionDigest: toolDefinitionDigest(tool) };
}

function json(response: http.ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
