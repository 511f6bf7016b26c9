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
 * to the address that was vetted. No redirects, no proxies, no more than 8 MiB.
 */
export function upstreamFetch(options: {
  timeoutMs: number;
  headers?: Readonly<Record<string, string>>;
  /** Beside public addresses only these (CIDR) are reached; absent: any private one. */
  networks?: readonly string[] | undefined;
  maxBodyBytes?: number;
}): typeof fetch {
  return (async (input: string | URL | Request, init: RequestInit = {}) => {
    const request = input instanceof Request ? input : null;
    const url = new URL(input instanceof Request ? input.url : input);
    const address = await vettedAddress(url, options.networks);
    const agent = new Agent({
      connect: {
        lookup: (_host, _options, callback) => callback(null, [{ address, family: isIP(address) }]),
      },
      maxResponseSize: options.maxBodyBytes ?? defaultMaxBodyBytes,
    });
    const headers = new Headers(init.headers ?? request?.headers);
    for (const [name, value] of Object.entries(options.headers ?? {})) headers.set(name, value);
    const deadline = AbortSignal.timeout(options.timeoutMs);
    const signal = init.signal ? AbortSignal.any([init.signal, deadline]) : deadline;
    const response = await undiciFetch(url, {
      ...(init as object),
      headers: Object.fromEntries(headers),
      redirect: 'error',
      signal,
      dispatcher: agent,
    });
    return response as unknown as Response;
  }) as typeof fetch;
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
