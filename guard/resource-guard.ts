import { randomUUID } from 'node:crypto';
import {
  challengeAnswer,
  type Denial,
  denialResult,
  errorAnswer,
  failedCallResult,
  plainAnswer,
  resultAnswer,
  unavailableAnswer,
} from './answers.ts';
import { type Caller, Callers, holderOfCaller } from './callers.ts';
import { digestOf } from './canonical.ts';
import type { Reason } from './decide/index.ts';
import {
  BodyTooLarge,
  type GuardRequest,
  type GuardResponse,
  type UpstreamResponse,
  type UpstreamServer,
} from './exchange.ts';
import type { FeedClient } from './feed-client.ts';
import { emptyList, GovernedAnswers } from './governed-answers.ts';
import { errorCodes, isObject, type Message, MessageFault, type RequestId, readMessage } from './json-rpc.ts';
import { Judge, type MethodRule, ruleFor, targetOf } from './judge.ts';
import { LiveExchanges } from './live.ts';
import {
  accepts,
  corsHeaders,
  headerMismatch,
  isModern,
  outgoingHeaders,
  passedHeaders,
  preflightHeaders,
} from './mcp-headers.ts';
import type { FeedEntry, ServerFacts } from './protocol.ts';
import type { Reporter } from './reports.ts';
import { EventRewriter, type Rewrite, rewriteWhole } from './rewrite.ts';
import { holderOf, Sessions, Tasks } from './sessions.ts';
import type { Slice } from './slice.ts';
import { SpoolFull } from './spool.ts';
import { type Principal, resolvePrincipal, type TokenRefusal } from './token.ts';
import { begin, CutShort, hold, type Outcome, tie } from './under-way.ts';

/** Largest request body; the SDKs' own limit. */
const maxRequestBytes = 4 * 1024 * 1024;
/** Largest answer that is read whole because it has to be changed. */
const maxRewrittenBytes = 16 * 1024 * 1024;
/** Answers up to this size are held until they are whole: one write, and nothing of a call that was cut. */
const maxHeldBytes = 256 * 1024;

type RequestMessage = Extract<Message, { kind: 'request' }>;

/**
 * Guards one MCP server: everything between the socket and the real server.
 * Transport-free, so that the proxy and the library enforce the same.
 */
export class ResourceGuard {
  readonly serverId: string;
  readonly #server: ServerFacts;
  readonly #feed: FeedClient;
  readonly #reporter: Reporter;
  readonly #issuer: string;
  readonly #upstream: UpstreamServer;
  readonly #allowedOrigins: ReadonlySet<string>;
  readonly #callers: Callers;
  readonly #judge = new Judge();
  readonly #live = new LiveExchanges();
  readonly #sessions = new Sessions();
  readonly #tasks = new Tasks();
  readonly #answers: GovernedAnswers;
  readonly #unsubscribe: () => void;

  constructor(options: {
    server: ServerFacts;
    feed: FeedClient;
    reporter: Reporter;
    issuer: string;
    upstream: UpstreamServer;
    /** Origins of web pages that may call, beside those on loopback. */
    allowedOrigins?: readonly string[];
  }) {
    this.serverId = options.server.id;
    this.#server = options.server;
    this.#feed = options.feed;
    this.#reporter = options.reporter;
    this.#issuer = options.issuer;
    this.#upstream = options.upstream;
    this.#allowedOrigins = new Set(options.allowedOrigins);
    this.#callers = new Callers({ serverId: this.serverId, feed: options.feed, issuer: options.issuer });
    this.#answers = new GovernedAnswers({
      serverId: this.serverId,
      feed: options.feed,
      reporter: options.reporter,
      judge: this.#judge,
      tasks: this.#tasks,
    });
    this.#unsubscribe = this.#followFeed();
  }

  /** Answers under way. */
  get liveCount(): number {
    return this.#live.size;
  }

  async close(): Promise<void> {
    this.#unsubscribe();
    this.#live.cutAll('guard_stopped');
    await this.#upstream.close();
  }

  /** Protected resource metadata (RFC 9728 §2). */
  metadata(): object {
    const server = this.#feed.slices.get(this.serverId)?.server ?? this.#server;
    return protectedResourceMetadata({ ...server, resource: this.#server.resource }, this.#issuer);
  }

  /** Decides about one request and carries it out. Never throws. */
  async handle(request: GuardRequest): Promise<GuardResponse> {
    let response: GuardResponse;
    try {
      response = await this.#handle(request);
    } catch (cause) {
      if (cause instanceof BodyTooLarge) response = plainAnswer(413, 'The body is too large.');
      else response = plainAnswer(500, 'The guard failed; nothing was passed on.');
    }
    Object.assign(response.headers, corsHeaders);
    return response;
  }

  async #handle(request: GuardRequest): Promise<GuardResponse> {
    const { method, headers } = request;
    if (headers.origin !== undefined && !this.#originAllowed(headers.origin))
      return plainAnswer(403, 'This origin may not call here.');
    if (method === 'OPTIONS')
      return {
        status: 204,
        headers: preflightHeaders(headers['access-control-request-headers']),
        body: null,
      };
    if (!['POST', 'GET', 'DELETE', 'HEAD'].includes(method))
      return plainAnswer(405, 'Method not allowed.', { allow: 'POST, GET, DELETE, OPTIONS' });
    if (new URLSearchParams(request.query).has('access_token'))
      return this.#challenge(request, 'token_in_query', {
        error: 'invalid_request',
        text: 'An access token belongs into the Authorization header.',
      });
    if (headers.authorization === undefined) return this.#challenge(request, 'token_missing');
    const token = /^Bearer +([A-Za-z0-9._~+/-]+=*) *$/i.exec(headers.authorization)?.[1];
    if (!token)
      return this.#challenge(request, 'token_scheme', {
        error: 'invalid_token',
        text: 'A bearer access token is needed.',
      });

    const slice = this.#feed.slices.get(this.serverId);
    if (!slice) return this.#unavailable(request);
    const caller = await this.#callers.identify(token, slice);
    if ('code' in caller) return this.#refuseToken(request, caller);
    switch (method) {
      case 'POST':
        return this.#post(request, caller);
      case 'GET':
        return this.#listen(request, caller);
      case 'DELETE':
        return this.#endSession(request, caller);
      default:
        return plainAnswer(405, 'Method not allowed.', { allow: 'POST, GET, DELETE, OPTIONS' });
    }
  }

  // ── who calls ─────────────────────────────────────────────────────────────

  #challenge(
    request: GuardRequest,
    reason: string,
    error?: { error: 'invalid_token' | 'invalid_request'; text: string },
  ): GuardResponse {
    this.#reporter.countAnonymous(this.serverId, reason, request.address);
    return this.#withoutBody(request, challengeAnswer(this.#metadataUrl(), error));
  }

  async #refuseToken(request: GuardRequest, refusal: TokenRefusal): Promise<GuardResponse> {
    const { code, text, agentId, claims } = refusal;
    if (!claims) return this.#challenge(request, code, { error: 'invalid_token', text });
    if (agentId) this.#feed.noteRefused(this.serverId, agentId);
    // Which call it was is part of the testimony, as far as the body can be read.
    const message = request.method === 'POST' ? await this.#readQuietly(request) : null;
    const target = message?.kind === 'request' ? targetOf(message.params) : undefined;
    this.#reporter.record({
      kind: 'call',
      serverId: this.serverId,
      outcome: 'refused',
      evaluationId: randomUUID(),
      method: message && message.kind !== 'response' ? message.method : request.method,
      ...(target === undefined ? {} : { target }),
      agentId: claims.cs.agent,
      bindingId: claims.cs.binding,
      bindingVersion: claims.cs.version,
      clientId: claims.client_id,
      subject: claims.sub,
      tokenId: claims.jti,
      reasons: [code],
      policies: [],
    });
    const more = agentId
      ? ` See ${new URL(`/agents/${encodeURIComponent(agentId)}`, this.#feed.consoleOrigin).href}`
      : '';
    return this.#withoutBody(
      request,
      challengeAnswer(this.#metadataUrl(), { error: 'invalid_token', text: text + more }),
    );
  }

  async #readQuietly(request: GuardRequest): Promise<Message | null> {
    try {
      return readMessage(await request.body(maxRequestBytes));
    } catch {
      return null;
    }
  }

  #withoutBody(request: GuardRequest, response: GuardResponse): GuardResponse {
    return request.method === 'HEAD' ? { ...response, body: null } : response;
  }

  #metadataUrl(): string {
    const resource = new URL(this.#server.resource);
    const path = resource.pathname === '/' ? '' : resource.pathname;
    return `${resource.origin}/.well-known/oauth-protected-resource${path}`;
  }

  async #unavailable(request: GuardRequest): Promise<GuardResponse> {
    const message = request.method === 'POST' ? await this.#readQuietly(request) : null;
    return unavailableAnswer(message?.kind === 'request' ? message.id : null);
  }

  #originAllowed(origin: string): boolean {
    if (this.#allowedOrigins.has(origin)) return true;
    if (!URL.canParse(origin)) return false;
    const { protocol, hostname, origin: parsed } = new URL(origin);
    if (parsed !== origin) return false;
    return protocol === 'http:' && ['localhost', '127.0.0.1', '[::1]'].includes(hostname);
  }

  // ── POST ──────────────────────────────────────────────────────────────────

  async #post(request: GuardRequest, caller: Caller): Promise<GuardResponse> {
    const { headers } = request;
    if (!/^application\/json\s*(;|$)/i.test(headers['content-type'] ?? ''))
      return plainAnswer(415, 'The body must be application/json.');
    if (headers['content-encoding'] !== undefined && headers['content-encoding'] !== 'identity')
      return plainAnswer(415, 'The body must not be encoded.');
    if (!accepts(headers.accept, 'application/json') || !accepts(headers.accept, 'text/event-stream'))
      return plainAnswer(406, 'The client must accept application/json and text/event-stream.');
    let message: Message;
    try {
      message = readMessage(await request.body(maxRequestBytes));
    } catch (cause) {
      if (cause instanceof MessageFault) return errorAnswer(400, null, cause.code, cause.message);
      throw cause;
    }

    const modern = message.kind !== 'response' && isModern(message, headers['mcp-protocol-version']);
    if (modern) {
      const mismatch = headerMismatch(message, headers);
      if (mismatch) return errorAnswer(400, idOf(message), errorCodes.headerMismatch, mismatch);
    }
    const sessionId = modern ? undefined : headers['mcp-session-id'];
    if (sessionId !== undefined && !this.#sessions.belongs(sessionId, holderOfCaller(caller)))
      return errorAnswer(404, idOf(message), -32001, 'Session not found');

    const slice = this.#feed.current(this.serverId);
    const withoutLease =
      message.kind !== 'response' && ['ping', 'notifications/cancelled'].includes(message.method);
    if (!slice && !withoutLease) return unavailableAnswer(idOf(message));

    if (message.kind !== 'request') return this.#forward(request, caller, message, modern, null);
    if (caller.kind === 'catalogue') return this.#postAsCatalogue(request, caller, message, modern);
    if (!slice) return this.#forward(request, caller, message, modern, null);
    return this.#postAsAgent(request, caller.principal, message, modern, slice);
  }

  async #postAsCatalogue(
    request: GuardRequest,
    caller: Caller,
    message: RequestMessage,
    modern: boolean,
  ): Promise<GuardResponse> {
    if (!['initialize', 'ping', 'server/discover', 'tools/list'].includes(message.method))
      return errorAnswer(
        200,
        message.id,
        errorCodes.denied,
        'A catalogue token reads lists and nothing else.',
      );
    return this.#forward(request, caller, message, modern, null);
  }

  async #postAsAgent(
    request: GuardRequest,
    principal: Principal,
    message: RequestMessage,
    modern: boolean,
    slice: Slice,
  ): Promise<GuardResponse> {
    const rule = ruleFor(message.method);
    switch (rule) {
      case null:
        this.#recordRefusal(principal, message, ['method_unknown']);
        return errorAnswer(
          modern ? 404 : 200,
          message.id,
          errorCodes.methodNotFound,
          `The guard does not pass on ${JSON.stringify(message.method)}.`,
        );
      case 'refused':
        this.#recordRefusal(principal, message, ['not_governed']);
        return errorAnswer(
          200,
          message.id,
          errorCodes.denied,
          `Countersign refused ${message.method}: approvals name tools, and this agent was not approved for anything else on ${JSON.stringify(slice.server.name)}.`,
        );
      case 'nothing_listed':
        return resultAnswer(message.id, emptyList(message.method, modern));
      case 'task': {
        const tool = this.#tasks.toolOf(message.params?.taskId, holderOf(principal));
        if (tool === null) return errorAnswer(200, message.id, errorCodes.invalidParams, 'Task not found');
        return this.#call(request, principal, message, modern, slice, tool, null);
      }
      case 'call': {
        const name = message.params?.name;
        if (typeof name !== 'string')
          return errorAnswer(200, message.id, errorCodes.invalidParams, 'The call names no tool.');
        return this.#call(request, principal, message, modern, slice, name, message.params?.arguments ?? {});
      }
      default:
        return this.#forward(request, { kind: 'agent', principal }, message, modern, rule);
    }
  }

  /** Decides about a call, or about a later leg of one, and carries it out. */
  async #call(
    request: GuardRequest,
    principal: Principal,
    message: RequestMessage,
    modern: boolean,
    slice: Slice,
    tool: string,
    given: unknown,
  ): Promise<GuardResponse> {
    const at = new Date(this.#feed.lease.gateNowMs());
    const verdict = this.#judge.call(slice, principal, tool, given, at);
    const evaluationId = randomUUID();
    const facts = {
      kind: 'call' as const,
      serverId: this.serverId,
      evaluationId,
      method: message.method,
      target: tool.slice(0, 2048),
      ...principalFacts(principal),
      ...(verdict.tool ? { toolClass: verdict.tool.class, toolRisk: verdict.tool.risk } : {}),
      argumentsDigest: digestOf(given),
      reasons: verdict.reasons.map(({ code }) => code).slice(0, 16),
      policyVersion: verdict.policyVersion,
      policies: verdict.policies.slice(0, 64),
    };
    const deny = (reasons: Reason[]) => {
      this.#feed.noteRefused(this.serverId, principal.agent.id);
      const codes = reasons.map(({ code }) => code);
      this.#reporter.record({ ...facts, outcome: 'refused', reasons: codes });
      return this.#denial(message, modern, {
        evaluationId,
        agent: principal.agent,
        slice,
        consoleOrigin: this.#feed.consoleOrigin,
        tool,
        reasons,
        policies: verdict.policies,
      });
    };
    if (!verdict.permitted) return deny(verdict.reasons);

    const risky = verdict.tool?.risk === 'high';
    if (risky) {
      try {
        await this.#reporter.recordDurably({ ...facts, outcome: 'accepted' });
      } catch (cause) {
        if (!(cause instanceof SpoolFull)) throw cause;
        return deny([spoolFullReason]);
      }
      // Writing took time, in which the authority may have ended.
      const now = this.#feed.current(this.serverId);
      const still = now && resolvePrincipal(principal.claims, now, this.#feed.floors(), at.getTime());
      if (!still || 'code' in still) {
        this.#reporter.record({
          kind: 'completed',
          serverId: this.serverId,
          evaluationId,
          outcome: 'cut',
          durationMs: 0,
        });
        return this.#answerCut({ kind: 'agent', principal }, message.id);
      }
    } else {
      this.#reporter.record({ ...facts, outcome: 'accepted' });
    }
    this.#feed.noteAccepted(principal.agent.id);
    const startedAtMs = at.getTime();
    const completed = (outcome: Outcome) => {
      if (!risky) return;
      const durationMs = Math.max(0, this.#feed.lease.gateNowMs() - startedAtMs);
      this.#reporter.record({
        kind: 'completed',
        serverId: this.serverId,
        evaluationId,
        outcome,
        durationMs,
      });
    };
    return this.#forward(request, { kind: 'agent', principal }, message, modern, 'call', { tool, completed });
  }

  #denial(message: RequestMessage, modern: boolean, denial: Denial): GuardResponse {
    const result = denialResult(denial, modern);
    if (message.method === 'tools/call') return resultAnswer(message.id, result);
    return errorAnswer(
      200,
      message.id,
      errorCodes.denied,
      denial.reasons.map(({ text }) => text).join(' '),
      result,
    );
  }

  #recordRefusal(principal: Principal, message: RequestMessage, reasons: string[]): void {
    const target = targetOf(message.params);
    this.#reporter.record({
      kind: 'call',
      serverId: this.serverId,
      outcome: 'refused',
      evaluationId: randomUUID(),
      method: message.method,
      ...(target === undefined ? {} : { target }),
      ...principalFacts(principal),
      reasons,
      policies: [],
    });
  }

  // ── passing on ────────────────────────────────────────────────────────────

  async #forward(
    request: GuardRequest,
    caller: Caller,
    message: Message,
    modern: boolean,
    rule: MethodRule | null,
    call?: { tool: string; completed(outcome: Outcome): void },
  ): Promise<GuardResponse> {
    const under = begin(this.#live, request, caller, call?.tool ?? null);
    const id = idOf(message);
    let settled = false;
    const finish = (outcome: Outcome) => {
      if (settled) return;
      settled = true;
      under.end();
      call?.completed(outcome);
    };
    try {
      const body = outgoingBody(message, modern);
      const headers = outgoingHeaders(request.headers, modern, 'POST');
      const upstream = await this.#upstream.send({ method: 'POST', headers, body, signal: under.signal });
      const method = message.kind === 'response' ? null : message.method;
      const sessionId = upstream.headers['mcp-session-id'];
      if (method === 'initialize' && sessionId && upstream.status === 200)
        this.#bindSession(sessionId, caller);
      const failure = this.#upstreamFailure(request, upstream, message, modern);
      if (failure) {
        upstream.body.resume();
        finish('failed');
        return failure;
      }
      const answer = { status: upstream.status, headers: passedHeaders(upstream) };
      const rewrite = this.#answers.rewriteFor(caller, message, modern, rule, call?.tool ?? null);
      const type = (upstream.headers['content-type'] ?? '').toLowerCase();
      if (type.startsWith('text/event-stream')) {
        answer.headers['x-accel-buffering'] = 'no';
        const listens = method === 'subscriptions/listen';
        const stream = rewrite || listens ? new EventRewriter(rewrite ?? unchanged) : null;
        if (listens && stream && caller.kind === 'agent' && wantsToolChanges(message))
          under.listen(stream, id);
        return { ...answer, body: tie(upstream.body, stream, under, finish) };
      }
      const held = await hold(upstream.body, rewrite ? maxRewrittenBytes : maxHeldBytes);
      if (under.wasCut()) throw new CutShort();
      if (!Buffer.isBuffer(held)) {
        if (rewrite) throw new RangeError('the answer is too large to be filtered');
        return { ...answer, body: tie(held, null, under, finish) };
      }
      finish('answered');
      return { ...answer, body: rewrite ? rewriteWhole(held, rewrite) : held };
    } catch {
      const cut = under.wasCut();
      finish(cut ? 'cut' : 'failed');
      if (cut) return this.#answerCut(caller, id);
      return this.#unreachable(message, modern);
    }
  }

  // ── what the server answered ──────────────────────────────────────────────

  /**
   * Answers of the real server that must not reach the caller as they are: its
   * 401 and 403 are about the guard's credential, and would make the caller
   * throw its own away.
   */
  #upstreamFailure(
    request: GuardRequest,
    upstream: UpstreamResponse,
    message: Message,
    modern: boolean,
  ): GuardResponse | null {
    const { status } = upstream;
    if (status < 300) return null;
    const sessionId = request.headers['mcp-session-id'];
    if (status === 404 && sessionId !== undefined && !modern) {
      this.#sessions.forget(sessionId);
      return errorAnswer(404, idOf(message), -32001, 'Session not found');
    }
    if (status >= 400 && status < 500 && ![401, 403, 407].includes(status)) return null;
    const refusedUs = status === 401 || status === 403;
    const text = refusedUs
      ? 'The MCP server refused the credential the guard has for it. This is not about your access token: an administrator has to look at the server in Countersign.'
      : `The MCP server behind the guard answered ${status}.`;
    return this.#failure(message, modern, text);
  }

  #unreachable(message: Message, modern: boolean): GuardResponse {
    return this.#failure(message, modern, 'The MCP server behind the guard cannot be reached.');
  }

  #failure(message: Message, modern: boolean, text: string): GuardResponse {
    if (message.kind === 'request' && message.method === 'tools/call')
      return resultAnswer(message.id, failedCallResult(text, modern));
    return errorAnswer(502, idOf(message), errorCodes.internalError, text);
  }

  /** The authority ended while the call was under way; its result is not for this caller any more. */
  #answerCut(caller: Caller, id: RequestId | null): GuardResponse {
    if (!this.#feed.lease.live()) return unavailableAnswer(id);
    if (caller.kind === 'agent') this.#feed.noteRefused(this.serverId, caller.principal.agent.id);
    return challengeAnswer(this.#metadataUrl(), {
      error: 'invalid_token',
      text: 'The approval ended during the call.',
    });
  }

  // ── sessions and streams (revisions up to 2025-11-25) ─────────────────────

  async #listen(request: GuardRequest, caller: Caller): Promise<GuardResponse> {
    const { headers } = request;
    if (!accepts(headers.accept, 'text/event-stream'))
      return plainAnswer(406, 'The client must accept text/event-stream.');
    const sessionId = headers['mcp-session-id'];
    if (sessionId !== undefined && !this.#sessions.belongs(sessionId, holderOfCaller(caller)))
      return errorAnswer(404, null, -32001, 'Session not found');
    if (!this.#feed.current(this.serverId)) return unavailableAnswer(null);
    const under = begin(this.#live, request, caller, null);
    try {
      const outgoing = outgoingHeaders(request.headers, false, 'GET');
      const upstream = await this.#upstream.send({
        method: 'GET',
        headers: outgoing,
        body: null,
        signal: under.signal,
      });
      const type = (upstream.headers['content-type'] ?? '').toLowerCase();
      if (upstream.status !== 200 || !type.startsWith('text/event-stream')) {
        upstream.body.resume();
        under.end();
        if (upstream.status === 404 && sessionId !== undefined) {
          this.#sessions.forget(sessionId);
          return errorAnswer(404, null, -32001, 'Session not found');
        }
        const offersNone = [400, 404, 405, 406].includes(upstream.status);
        return offersNone
          ? plainAnswer(405, 'This server offers no stream.', { allow: 'POST, DELETE, OPTIONS' })
          : plainAnswer(502, 'The MCP server behind the guard does not answer.');
      }
      const { principal } = caller.kind === 'agent' ? caller : { principal: null };
      const stream = new EventRewriter(
        principal ? (each) => this.#answers.filterReplayed(each, principal) : unchanged,
      );
      under.listen(stream, null);
      const answer = { status: 200, headers: { ...passedHeaders(upstream), 'x-accel-buffering': 'no' } };
      return { ...answer, body: tie(upstream.body, stream, under, () => under.end()) };
    } catch {
      under.end();
      return under.wasCut()
        ? this.#answerCut(caller, null)
        : plainAnswer(502, 'The MCP server behind the guard cannot be reached.');
    }
  }

  async #endSession(request: GuardRequest, caller: Caller): Promise<GuardResponse> {
    const sessionId = request.headers['mcp-session-id'];
    if (sessionId === undefined) return plainAnswer(400, 'The request names no session.');
    if (!this.#sessions.belongs(sessionId, holderOfCaller(caller)))
      return errorAnswer(404, null, -32001, 'Session not found');
    const status = await this.#deleteUpstreamSession(sessionId);
    this.#sessions.forget(sessionId);
    return { status: status === 405 ? 405 : 200, headers: {}, body: null };
  }

  #bindSession(sessionId: string, caller: Caller): void {
    const agentId = caller.kind === 'agent' ? caller.principal.agent.id : null;
    for (const evicted of this.#sessions.bind(sessionId, holderOfCaller(caller), agentId))
      void this.#deleteUpstreamSession(evicted);
  }

  async #deleteUpstreamSession(sessionId: string): Promise<number> {
    try {
      const { status, body } = await this.#upstream.send({
        method: 'DELETE',
        headers: { 'mcp-session-id': sessionId },
        body: null,
        signal: AbortSignal.timeout(5_000),
      });
      body.resume();
      return status;
    } catch {
      return 502;
    }
  }

  // ── following the feed ────────────────────────────────────────────────────

  #followFeed(): () => void {
    const onChanged = (slice: Slice, entries: readonly FeedEntry[]) => {
      if (slice.serverId !== this.serverId) return;
      this.#live.cutUnauthorised(slice);
      this.#endDeadSessions(slice);
      const everyone = entries.some(({ kind }) => kind === 'policy.changed' || kind === 'server.changed');
      const agents = new Set(
        entries.flatMap((entry) => (entry.kind === 'binding.changed' ? [entry.binding.agentId] : [])),
      );
      if (everyone || agents.size > 0) this.#live.announceTools((agentId) => everyone || agents.has(agentId));
    };
    const onReplaced = (serverId: string) => {
      if (serverId !== this.serverId) return;
      const slice = this.#feed.slices.get(serverId) ?? null;
      this.#live.cutUnauthorised(slice);
      if (slice) this.#endDeadSessions(slice);
    };
    // What runs on without proof could be running on a revoked approval.
    const onLease = (live: boolean) => {
      if (!live) this.#live.cutAll('lease_lost');
    };
    this.#feed.on('changed', onChanged);
    this.#feed.on('replaced', onReplaced);
    this.#feed.on('lease', onLease);
    return () => {
      this.#feed.off('changed', onChanged);
      this.#feed.off('replaced', onReplaced);
      this.#feed.off('lease', onLease);
    };
  }

  #endDeadSessions(slice: Slice): void {
    const alive = new Set([...slice.bindings.values()].map(({ agentId }) => agentId));
    const isDead = (agentId: string) => slice.agents.get(agentId)?.state !== 'active' || !alive.has(agentId);
    for (const sessionId of this.#sessions.takeDead(isDead)) void this.#deleteUpstreamSession(sessionId);
  }
}

/** What a client needs to find the authorization server of a resource (RFC 9728 §2). */
export function protectedResourceMetadata(server: ServerFacts, issuer: string): object {
  return {
    resource: server.resource,
    authorization_servers: [issuer],
    scopes_supported: ['mcp'],
    bearer_methods_supported: ['header'],
    resource_name: server.name,
  };
}

const spoolFullReason: Reason = {
  code: 'spool_full',
  text: 'High-risk calls are recorded before they are made, and the guard has no room left for records.',
  remedy: 'The guard needs its connection to Countersign, or more room; an administrator can see to it.',
};

const unchanged: Rewrite = (message) => message;

function principalFacts({ claims, agent, binding }: Principal) {
  return {
    agentId: agent.id,
    bindingId: binding.id,
    bindingVersion: binding.version,
    clientId: claims.client_id,
    subject: claims.sub,
    tokenId: claims.jti,
  };
}

function idOf(message: Message): RequestId | null {
  return message.kind === 'request' ? message.id : null;
}

/** A subscription to resources would tell about what nobody approved. */
function outgoingBody(message: Message, modern: boolean): string {
  if (message.kind !== 'request' || !modern || message.method !== 'subscriptions/listen') return message.body;
  const notifications = message.params?.notifications;
  if (!isObject(notifications)) return message.body;
  const {
    resourceSubscriptions: _,
    resourcesListChanged: __,
    promptsListChanged: ___,
    ...kept
  } = notifications;
  return JSON.stringify({ ...JSON.parse(message.body), params: { ...message.params, notifications: kept } });
}

function wantsToolChanges(message: Message): boolean {
  const notifications = message.kind === 'request' ? message.params?.notifications : undefined;
  return isObject(notifications) && notifications.toolsListChanged === true;
}
