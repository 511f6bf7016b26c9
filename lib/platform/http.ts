import { Resolver } from 'node:dns/promises';
import ipaddr from 'ipaddr.js';
import { Agent, buildConnector, request } from 'undici';
import { digestOfBytes } from '#lib/platform/canonical-json.ts';
import { type Clock, systemClock } from '#lib/platform/clock.ts';
import { err, ok, type Result } from '#lib/platform/result.ts';

/**
 * The only way this server fetches what a stranger names: client metadata documents, key sets, webhooks.
 *
 * https only, no redirects, no cookies, no proxy settings from the environment. The host name is resolved once, every
 * address it has must be global unicast, the connection goes to one of exactly those addresses, and the peer is
 * compared with them once more after connecting; so neither a name with one private address among public ones nor a
 * name that changes its answer between check and use gets anywhere. Size, time and concurrency are bounded.
 */
export type RemoteHttp = {
  /** Sends one request. A refusal of any kind is the same `unavailable` to the outside. */
  send(url: string, outgoing: OutgoingRequest): Promise<Result<RemoteResponse, Unavailable>>;
  /** GETs a JSON document: status 200 and a JSON media type, or it is unavailable. */
  fetchDocument(url: string, limits: { maxBytes: number }): Promise<Result<RemoteDocument, Unavailable>>;
};

/**
 * Why nothing came back. There is one reason, so that the answer to the outside is no oracle for what the network
 * behind us looks like; `detail` is for the operator's log and audit, never for the party that named the URL.
 */
export type Unavailable = { reason: 'unavailable'; detail: UnavailableDetail };
export type UnavailableDetail =
  | 'url not allowed'
  | 'port not allowed'
  | 'name not resolved'
  | 'address not allowed'
  | 'peer not the vetted address'
  | 'too many requests in flight'
  | 'deadline passed'
  | 'connection failed'
  | 'redirect refused'
  | 'status not 200'
  | 'media type not JSON'
  | 'content encoding refused'
  | 'larger than allowed';

export type OutgoingRequest = {
  method: 'GET' | 'POST';
  headers?: Readonly<Record<string, string>>;
  body?: string;
  maxResponseBytes: number;
};

export type RemoteResponse = {
  status: number;
  /** Names in lower case; a repeated header's values joined by a comma. */
  headers: Readonly<Record<string, string>>;
  bytes: Uint8Array;
  /** The address that answered. */
  address: string;
};

export type RemoteDocument = {
  url: string;
  bytes: Uint8Array;
  /** SHA-256 of the bytes, `sha256:…`; what is reviewed and what is used are compared by it. */
  digest: string;
  fetchedAt: Date;
  /** Until when it may be used without asking again, within the bounds below. */
  freshUntil: Date;
  address: string;
};

export type RemoteHttpOptions = {
  /** Development only: http and loopback addresses are allowed as well, on any port. */
  allowLoopback?: boolean;
  /** Networks an operator has opened for outgoing requests although they are private, in CIDR form. */
  allowedNetworks?: readonly string[];
  allowedPorts?: readonly number[];
  timeoutMs?: number;
  maxInFlight?: number;
  maxInFlightPerHost?: number;
  /** Names the product to the other side. */
  userAgent?: string;
  clock?: Clock;
  /** Addresses of a host name; for tests and unusual name services. */
  resolve?: (hostname: string, signal: AbortSignal) => Promise<string[]>;
};

/** From first byte of the name query to last byte of the answer. Clients wait about ten seconds in all. */
const DEFAULT_TIMEOUT_MS = 5_000;
const DEFAULT_MAX_IN_FLIGHT = 16;
const DEFAULT_MAX_IN_FLIGHT_PER_HOST = 2;
/** Requests waiting for a place; beyond it they are refused at once, so that a flood costs nothing. */
const MAX_WAITING = 64;
/** Shorter, and a busy client makes us a nuisance to its host; longer, and a changed document goes unseen. */
export const MIN_FRESH_SECONDS = 5 * 60;
export const MAX_FRESH_SECONDS = 24 * 60 * 60;
const MAX_RESPONSE_HEADERS_BYTES = 16_384;
/** Azure's host agent answers on this public-looking address from inside any of its machines. */
const PLATFORM_ADDRESSES: ReadonlySet<string> = new Set(['168.63.129.16']);
const GLOBAL_UNICAST_V6 = ipaddr.parseCIDR('2000::/3');

export function createRemoteHttp(options: RemoteHttpOptions = {}): RemoteHttp {
  const clock = options.clock ?? systemClock;
  const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  const allowedPorts = options.allowedPorts ?? [443];
  const userAgent = options.userAgent ?? 'Countersign';
  const resolve = options.resolve ?? resolveAddresses;
  const isAllowed = createAddressPolicy(options);
  const places = new Places(
    options.maxInFlight ?? DEFAULT_MAX_IN_FLIGHT,
    options.maxInFlightPerHost ?? DEFAULT_MAX_IN_FLIGHT_PER_HOST,
  );

  async function send(text: string, outgoing: OutgoingRequest): Promise<Result<RemoteResponse, Unavailable>> {
    const url = URL.parse(text);
    // A text the parser had to repair is a text two parsers may read differently.
    if (url === null || (url.href !== text && url.href !== `${text}/`)) return unavailable('url not allowed');
    if (url.protocol !== 'https:' && !(options.allowLoopback && url.protocol === 'http:')) {
      return unavailable('url not allowed');
    }
    if (url.username !== '' || url.password !== '' || url.hash !== '') return unavailable('url not allowed');

    const deadline = new AbortController();
    const timer = setTimeout(() => deadline.abort(), timeoutMs);
    const release = await places.take(url.host, deadline.signal);
    try {
      if (release === null) {
        return unavailable(deadline.signal.aborted ? 'deadline passed' : 'too many requests in flight');
      }
      return await sendVetted(url, outgoing, deadline.signal);
    } finally {
      clearTimeout(timer);
      release?.();
    }
  }

  async function sendVetted(
    url: URL,
    outgoing: OutgoingRequest,
    signal: AbortSignal,
  ): Promise<Result<RemoteResponse, Unavailable>> {
    let addresses: string[];
    try {
      addresses = await addressesOf(url.hostname, resolve, signal);
    } catch {
      return unavailable(signal.aborted ? 'deadline passed' : 'name not resolved');
    }
    if (addresses.length === 0) return unavailable('name not resolved');
    if (!addresses.every(isAllowed)) return unavailable('address not allowed');
    const isLoopback = addresses.every(isLoopbackAddress);
    if (url.protocol === 'http:' && !isLoopback) return unavailable('url not allowed');
    const port = url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port);
    if (!allowedPorts.includes(port) && !(options.allowLoopback && isLoopback)) {
      return unavailable('port not allowed');
    }
    return exchange(url, addresses, outgoing, signal, { timeoutMs, userAgent });
  }

  async function fetchDocument(
    url: string,
    limits: { maxBytes: number },
  ): Promise<Result<RemoteDocument, Unavailable>> {
    const response = await send(url, {
      method: 'GET',
      headers: { accept: 'application/json' },
      maxResponseBytes: limits.maxBytes,
    });
    if (!response.ok) return response;
    const { status, headers, bytes, address } = response.value;
    if (status !== 200) return unavailable('status not 200');
    if (!isJsonMediaType(headers['content-type'])) return unavailable('media type not JSON');
    const fetchedAt = clock.now();
    return ok({
      url,
      bytes,
      digest: digestOfBytes(bytes),
      fetchedAt,
      freshUntil: new Date(fetchedAt.getTime() + freshSeconds(headers['cache-control']) * 1_000),
      address,
    });
  }

  return { send, fetchDocument };
}

/** Whether an address is one any host on the internet may have: not private, local, shared, mapped, tunnelled or reserved. */
export function isGlobalUnicast(address: string): boolean {
  if (!ipaddr.isValid(address) || PLATFORM_ADDRESSES.has(address)) return false;
  const parsed = ipaddr.parse(address);
  if (parsed.range() !== 'unicast') return false;
  // "unicast" is what remains after the known exceptions; for IPv6 only one block is handed out to hosts.
  return parsed.kind() === 'ipv4' || parsed.match(GLOBAL_UNICAST_V6);
}

function createAddressPolicy(options: RemoteHttpOptions): (address: string) => boolean {
  const networks = (options.allowedNetworks ?? []).map((cidr) => ipaddr.parseCIDR(cidr));
  return (address) => {
    if (isGlobalUnicast(address)) return true;
    if (!ipaddr.isValid(address)) return false;
    if (options.allowLoopback && isLoopbackAddress(address)) return true;
    const parsed = ipaddr.parse(address);
    return networks.some((network) => network[0].kind() === parsed.kind() && parsed.match(network));
  };
}

function isLoopbackAddress(address: string): boolean {
  return ipaddr.isValid(address) && ipaddr.parse(address).range() === 'loopback';
}

/** Every address of a host; a literal is its own. */
async function addressesOf(
  hostname: string,
  resolve: (hostname: string, signal: AbortSignal) => Promise<string[]>,
  signal: AbortSignal,
): Promise<string[]> {
  const literal = hostname.replace(/^\[(.*)\]$/, '$1');
  if (ipaddr.isValid(literal)) return [literal];
  if (hostname === 'localhost' || hostname.endsWith('.localhost')) return ['127.0.0.1'];
  return await Promise.race([resolve(hostname, signal), aborted(signal)]);
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

/** Asks the name servers directly; unlike the system's resolver this can be given up, and holds no thread. */
async function resolveAddresses(hostname: string, signal: AbortSignal): Promise<string[]> {
  const resolver = new Resolver({ timeout: 2_000, tries: 2 });
  signal.addEventListener('abort', () => resolver.cancel(), { once: true });
  const answers = await Promise.allSettled([resolver.resolve4(hostname), resolver.resolve6(hostname)]);
  return answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
}

async function exchange(
  url: URL,
  addresses: readonly string[],
  outgoing: OutgoingRequest,
  signal: AbortSignal,
  settings: { timeoutMs: number; userAgent: string },
): Promise<Result<RemoteResponse, Unavailable>> {
  let peer: string | null = null;
  let peerRefused = false;
  const connect = buildConnector({
    timeout: settings.timeoutMs,
    // The name is never asked again: whatever the socket wants to look up, it gets the vetted addresses.
    lookup: (_hostname, lookupOptions, callback) => {
      const found = addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
      const [first] = found;
      if (lookupOptions.all) callback(null, found);
      else callback(null, first?.address ?? '', first?.family);
    },
  });
  const agent = new Agent({
    connections: 1,
    pipelining: 1,
    maxHeaderSize: MAX_RESPONSE_HEADERS_BYTES,
    headersTimeout: settings.timeoutMs,
    bodyTimeout: settings.timeoutMs,
    connect: (connectOptions, callback) => {
      connect(connectOptions, (error, socket) => {
        if (error !== null || socket === undefined) {
          callback(error ?? new Error('no socket'), null);
          return;
        }
        peer = socket.remoteAddress ?? null;
        if (peer === null || !addresses.some((address) => isSameAddress(address, peer))) {
          peerRefused = true;
          socket.destroy();
          callback(new Error('peer is not the vetted address'), null);
          return;
        }
        callback(null, socket);
      });
    },
  });
  try {
    const response = await request(url, {
      dispatcher: agent,
      method: outgoing.method,
      headers: {
        'user-agent': settings.userAgent,
        // A compressed answer could be small on the wire and vast in memory; nothing we fetch needs it.
        'accept-encoding': 'identity',
        ...outgoing.headers,
      },
      body: outgoing.body ?? null,
      signal,
    });
    const headers = joinHeaders(response.headers);
    if (response.statusCode >= 300 && response.statusCode < 400) return unavailable('redirect refused');
    const encoding = headers['content-encoding'];
    if (encoding !== undefined && encoding.toLowerCase() !== 'identity') {
      return unavailable('content encoding refused');
    }
    if (Number(headers['content-length'] ?? 0) > outgoing.maxResponseBytes)
      return unavailable('larger than allowed');
    const chunks: Uint8Array[] = [];
    let size = 0;
    for await (const chunk of response.body) {
      size += (chunk as Uint8Array).byteLength;
      if (size > outgoing.maxResponseBytes) return unavailable('larger than allowed');
      chunks.push(chunk as Uint8Array);
    }
    return ok({ status: response.statusCode, headers, bytes: Buffer.concat(chunks), address: peer ?? '' });
  } catch {
    if (peerRefused) return unavailable('peer not the vetted address');
    return unavailable(signal.aborted ? 'deadline passed' : 'connection failed');
  } finally {
    // One connection per request: nothing is shared between documents of different strangers.
    agent.destroy().catch(() => {});
  }
}

function isSameAddress(one: string, other: string | null): boolean {
  if (other === null || !ipaddr.isValid(one) || !ipaddr.isValid(other)) return false;
  return ipaddr.process(one).toNormalizedString() === ipaddr.process(other).toNormalizedString();
}

function joinHeaders(headers: Record<string, string | string[] | undefined>): Record<string, string> {
  const joined: Record<string, string> = Object.create(null);
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) joined[name.toLowerCase()] = Array.isArray(value) ? value.join(', ') : value;
  }
  return joined;
}

function isJsonMediaType(contentType: string | undefined): boolean {
  const type = contentType?.split(';')[0]?.trim().toLowerCase() ?? '';
  return /^application\/(?:[a-z0-9.-]+\+)?json$/.test(type);
}

/** The max-age of Cache-Control (RFC 9111 §5.2.2.1) held within our own bounds; no header means the shortest. */
function freshSeconds(cacheControl: string | undefined): number {
  const maxAge = /(?:^|[\s,])max-age\s*=\s*"?([0-9]{1,12})/i.exec(cacheControl ?? '')?.[1];
  return Math.min(MAX_FRESH_SECONDS, Math.max(MIN_FRESH_SECONDS, Number(maxAge ?? 0)));
}

function unavailable(detail: UnavailableDetail) {
  return err({ reason: 'unavailable' as const, detail });
}

/** Places for requests in flight, in all and per host. Who finds none waits, in order, while there is room to wait. */
class Places {
  readonly maxInFlight: number;
  readonly maxPerHost: number;
  inFlight = 0;
  readonly perHost = new Map<string, number>();
  readonly waiting: { host: string; start: () => void }[] = [];

  constructor(maxInFlight: number, maxPerHost: number) {
    this.maxInFlight = maxInFlight;
    this.maxPerHost = maxPerHost;
  }

  /** A function that gives the place back; null when there was none before the deadline. */
  async take(host: string, signal: AbortSignal): Promise<(() => void) | null> {
    if (!this.hasPlace(host)) {
      if (this.waiting.length >= MAX_WAITING || signal.aborted) return null;
      const started = await new Promise<boolean>((settle) => {
        const entry = { host, start: () => settle(true) };
        this.waiting.push(entry);
        signal.addEventListener(
          'abort',
          () => {
            const index = this.waiting.indexOf(entry);
            if (index >= 0) this.waiting.splice(index, 1);
            settle(false);
          },
          { once: true },
        );
      });
      // A place given at the very moment of the deadline is taken: the request then fails by itself and frees it.
      if (!started) return null;
    } else {
      this.occupy(host);
    }
    let given = false;
    return () => {
      if (given) return;
      given = true;
      this.free(host);
    };
  }

  hasPlace(host: string): boolean {
    return this.inFlight < this.maxInFlight && (this.perHost.get(host) ?? 0) < this.maxPerHost;
  }

  occupy(host: string): void {
    this.inFlight++;
    this.perHost.set(host, (this.perHost.get(host) ?? 0) + 1);
  }

  free(host: string): void {
    this.inFlight--;
    const left = (this.perHost.get(host) ?? 1) - 1;
    if (left === 0) this.perHost.delete(host);
    else this.perHost.set(host, left);
    const next = this.waiting.findIndex((entry) => this.hasPlace(entry.host));
    if (next < 0) return;
    const [entry] = this.waiting.splice(next, 1);
    if (entry === undefined) return;
    this.occupy(entry.host);
    entry.start();
  }
}
