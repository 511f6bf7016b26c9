import { randomUUID } from 'node:crypto';
import { sha256 } from './canonical.ts';
import type { Clock } from './clock.ts';
import type { Identity } from './identity.ts';
import { signCompact } from './jws.ts';
import { guardAuthLifetimeSeconds, guardPaths, messageTypes } from './protocol.ts';

/** The gate said no; `code` is its reason, such as `guard_revoked`. */
export class GateRefused extends Error {
  readonly status: number;
  readonly code: string;
  constructor(status: number, code: string) {
    super(`the gate answered ${status} ${code}`);
    this.name = 'GateRefused';
    this.status = status;
    this.code = code;
  }
}

/** Requests to the gate, each signed by the guard for exactly this request. */
export class GateClient {
  readonly identity: Identity;
  readonly #clock: Clock;
  readonly #fetch: typeof fetch;
  /** Gate's wall clock less ours, as its `Date` header showed when it complained about ours. */
  #skewMs = 0;

  constructor(identity: Identity, clock: Clock, fetchImplementation: typeof fetch = fetch) {
    this.identity = identity;
    this.#clock = clock;
    this.#fetch = fetchImplementation;
  }

  /** Posts JSON and returns the JSON answer (null for 204). Throws `GateRefused`, or the network's error. */
  async post(path: string, body: unknown, timeoutMs = 5_000): Promise<unknown> {
    const response = await this.#send('POST', path, JSON.stringify(body), AbortSignal.timeout(timeoutMs));
    return response.status === 204 ? null : await response.json();
  }

  async get(path: string, timeoutMs = 5_000): Promise<unknown> {
    return (await this.#send('GET', path, '', AbortSignal.timeout(timeoutMs))).json();
  }

  /** Opens the feed; the caller reads the body and aborts `signal` to end it. */
  async openFeed(query: string, signal: AbortSignal): Promise<ReadableStream<Uint8Array>> {
    const response = await this.#send('GET', `${guardPaths.feed}?${query}`, '', signal);
    if (!response.body || !response.headers.get('content-type')?.startsWith('text/event-stream'))
      throw new GateRefused(response.status, 'not_a_feed');
    return response.body;
  }

  /** A statement of this guard that can be kept as evidence. */
  sign(typ: string, payload: object): string {
    return this.#signed(typ, { ...payload, iat: this.#nowSeconds() });
  }

  #signed(typ: string, payload: object): string {
    const { guardId, issuer, signingKey } = this.identity;
    const claims = { ...payload, jti: randomUUID(), iss: guardId, aud: issuer };
    return signCompact(signingKey, { typ, kid: guardId }, claims);
  }

  async #send(method: string, path: string, body: string, signal: AbortSignal): Promise<Response> {
    const response = await this.#sendOnce(method, path, body, signal);
    if (response.ok) return response;
    const problem = (await response.json().catch(() => ({}))) as { code?: unknown };
    const refused = new GateRefused(response.status, String(problem.code ?? 'refused'));
    const gateDate = Date.parse(response.headers.get('date') ?? '');
    if (refused.code !== 'clock_skew' || Number.isNaN(gateDate)) throw refused;
    // Only how we date our own requests follows the gate; what we believe does not.
    this.#skewMs = gateDate - this.#clock.wallMs();
    const again = await this.#sendOnce(method, path, body, signal);
    if (!again.ok) throw refused;
    return again;
  }

  async #sendOnce(method: string, path: string, body: string, signal: AbortSignal): Promise<Response> {
    const iat = this.#nowSeconds();
    const auth = this.#signed(messageTypes.auth, {
      req: `${method} ${path}`,
      bod: sha256(body),
      iat,
      exp: iat + guardAuthLifetimeSeconds,
    });
    return this.#fetch(this.identity.issuer + path, {
      method,
      headers: {
        authorization: `Guard ${auth}`,
        ...(method === 'POST' ? { 'content-type': 'application/json' } : {}),
      },
      ...(method === 'POST' ? { body } : {}),
      redirect: 'error',
      signal,
    });
  }

  #nowSeconds(): number {
    return Math.floor((this.#clock.wallMs() + this.#skewMs) / 1000);
  }
}
