import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import { Agent, fetch as undiciFetch } from 'undici';
import { isInRanges, parseRanges } from './address.ts';
import { Invalid, Unavailable } from './errors.ts';
import { isGlobalUnicast } from './http.ts';

const defaultMaxBodyBytes = 8 * 1024 * 1024;

/** Where clouds tell a machine its own secrets, outside the link-local ranges: AWS over IPv6, Azure, Alibaba. */
const metadataServices: ReadonlySet<string> = new Set(['fd00:ec2::254', '168.63.129.16', '100.100.100.200']);

/**
 * Fetch for what an admin or the operator named: MCP servers of the catalogue, the identity provider. They may live on
 * a private network, so private addresses are allowed, those of `networks` only where it is given; link-local,
 * multicast and unspecified ones and cloud metadata services are not. The name is resolved once and the connection goes
 * to the address that was vetted. No redirects, no proxies, no compression, and no more than 8 MiB an answer: a body that
 * goes on fails while it is read. Throws `Unavailable` with its `status` for an answer that is compressed all
 * the same.
 */
export function upstreamFetch(options: {
  timeoutMs: number;
  headers?: Readonly<Record<string, string>>;
  /** Beside public addresses only these (CIDR) are reached; absent: any private one. */
  networks?: readonly string[] | undefined;
  maxBodyBytes?: number;
  /** What all requests of this fetch may take together; absent: each stands for itself. */
  together?: { maxRequests: number; maxBytes: number };
}): typeof fetch {
  const taken = { requests: 0, bytes: 0 };
  return (async (input: string | URL | Request, init: RequestInit = {}) => {
    const request = input instanceof Request ? input : null;
    const url = new URL(input instanceof Request ? input.url : input);
    taken.requests += 1;
    if (options.together && taken.requests > options.together.maxRequests) {
      throw new Unavailable(`It took more than ${options.together.maxRequests} requests.`);
    }
    const address = await vettedAddress(url, options.networks);
    const agent = new Agent({
      connect: {
        lookup: (_host, _options, callback) => callback(null, [{ address, family: isIP(address) }]),
      },
      maxResponseSize: options.maxBodyBytes ?? defaultMaxBodyBytes,
    });
    const headers = new Headers(init.headers ?? request?.headers);
    for (const [name, value] of Object.entries(options.headers ?? {})) headers.set(name, value);
    // A compressed answer could be small on the wire and vast in memory: fetch unpacks before anybody can count.
    headers.set('accept-encoding', 'identity');
    const deadline = AbortSignal.timeout(options.timeoutMs);
    const signal = init.signal ? AbortSignal.any([init.signal, deadline]) : deadline;
    const response = await undiciFetch(url, {
      ...(init as object),
      headers: Object.fromEntries(headers),
      redirect: 'error',
      signal,
      dispatcher: agent,
    });
    const encoding = response.headers.get('content-encoding');
    if (encoding !== null && encoding.trim().toLowerCase() !== 'identity') {
      await response.body?.cancel().catch(() => undefined);
      throw new Unavailable(
        'It sent a compressed answer (Content-Encoding), which was not asked for and is not read.',
        { status: response.status },
      );
    }
    const answer = response as unknown as Response;
    return options.together ? counted(answer, taken, options.together.maxBytes) : answer;
  }) as typeof fetch;
}

/** The same answer, whose body fails once all bodies together are larger than allowed. */
function counted(response: Response, taken: { bytes: number }, maxBytes: number): Response {
  if (!response.body) return response;
  const counting = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      taken.bytes += chunk.byteLength;
      if (taken.bytes > maxBytes) controller.error(new Unavailable(`It sent more than ${maxBytes} bytes.`));
      else controller.enqueue(chunk);
    },
  });
  const { status, statusText, headers } = response;
  return new Response(response.body.pipeThrough(counting), {
    status,
    statusText,
    headers: Object.fromEntries(headers),
  });
}

/** Refuses addresses no server can have. Returns one address literal. */
async function vettedAddress(url: URL, networks: readonly string[] | undefined): Promise<string> {
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw new Invalid('A server is reached by http or https.');
  const host = url.hostname.replace(/^\[|\]$/g, '');
  let addresses: string[];
  try {
    addresses = isIP(host) ? [host] : (await lookup(host, { all: true })).map((entry) => entry.address);
  } catch (cause) {
    throw new Unavailable(`The name ${host} does not resolve.`, {}, { cause });
  }
  for (const address of addresses) {
    const plain = ipaddr.process(address);
    if (
      ['linkLocal', 'multicast', 'unspecified', 'broadcast', 'reserved'].includes(plain.range()) ||
      metadataServices.has(plain.toString())
    ) {
      throw new Invalid(`${host} points to ${address}, where no server can be.`);
    }
    if (
      networks &&
      !isGlobalUnicast(plain.toString()) &&
      !isInRanges(plain.toString(), parseRanges(networks))
    ) {
      throw new Invalid(
        `${host} points to ${address}, a private address outside COUNTERSIGN_UPSTREAM_NETWORKS.`,
      );
    }
  }
  const [first] = addresses;
  if (!first) throw new Unavailable(`The name ${host} does not resolve.`);
  return first;
}
