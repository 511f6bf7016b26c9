import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import { Agent, fetch as undiciFetch } from 'undici';
import { Invalid, Unavailable } from './errors.ts';

const maxBodyBytes = 8 * 1024 * 1024;

/**
 * Fetch for what an admin or the operator named: MCP servers of the catalogue, the identity provider. They may live on
 * a private network, so private addresses are allowed; link-local, multicast and unspecified ones (cloud metadata services) are not. The name is resolved
 * once and the connection goes to the address that was vetted. No redirects, no proxies, no more than 8 MiB.
 */
export function upstreamFetch(options: {
  timeoutMs: number;
  headers?: Readonly<Record<string, string>>;
}): typeof fetch {
  return (async (input: string | URL | Request, init: RequestInit = {}) => {
    const request = input instanceof Request ? input : null;
    const url = new URL(input instanceof Request ? input.url : input);
    const address = await vettedAddress(url);
    const agent = new Agent({
      connect: {
        lookup: (_host, _options, callback) => callback(null, [{ address, family: isIP(address) }]),
      },
      maxResponseSize: maxBodyBytes,
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
async function vettedAddress(url: URL): Promise<string> {
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
    const range = ipaddr.process(address).range();
    if (['linkLocal', 'multicast', 'unspecified', 'broadcast', 'reserved'].includes(range)) {
      throw new Invalid(`${host} points to ${address}, where no server can be.`);
    }
  }
  const [first] = addresses;
  if (!first) throw new Unavailable(`The name ${host} does not resolve.`);
  return first;
}
