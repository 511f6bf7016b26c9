import ipaddr from 'ipaddr.js';

/** Address ranges in CIDR form, parsed once from configuration. */
export type Ranges = readonly (readonly [ipaddr.IPv4 | ipaddr.IPv6, number])[];

/** Parses CIDR ranges or single addresses. Throws `TypeError` naming the first that is neither. */
export function parseRanges(ranges: readonly string[]): Ranges {
  return ranges.map((range) => {
    try {
      if (range.includes('/')) return ipaddr.parseCIDR(range.trim());
      const address = ipaddr.process(range.trim());
      return [address, address.kind() === 'ipv4' ? 32 : 128] as const;
    } catch {
      throw new TypeError(`${range} is neither an address nor a range such as 10.0.0.0/8`);
    }
  });
}

/** The address as it is stored and compared: IPv4-mapped IPv6 becomes IPv4, no zone. Null when it is no address. */
export function normalizeAddress(address: string | undefined | null): string | null {
  if (!address || address.length > longestAddress) return null;
  let normalized = known.get(address);
  if (normalized === undefined) {
    normalized = readAddress(address);
    if (known.size >= mostKnown) known.clear();
    known.set(address, normalized);
  }
  return normalized;
}

/** Asked several times a request, mostly for the same few peers: remembered, since reading one takes microseconds. */
const known = new Map<string, string | null>();
const mostKnown = 5_000;
/** An IPv6 address with an embedded IPv4 one, and a zone. */
const longestAddress = 64;

function readAddress(address: string): string | null {
  const bare = address.replace(/%.*$/, '');
  // ipaddr.js also accepts historic spellings such as 0x7f.1 or 127.1; a peer's address never arrives as one.
  if (!/^(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*)$/.test(bare) || !ipaddr.isValid(bare))
    return null;
  if (!bare.includes(':') && !ipaddr.IPv4.isValidFourPartDecimal(bare)) return null;
  return ipaddr.process(bare).toString();
}

export function isInRanges(address: string | null, ranges: Ranges): boolean {
  const normalized = normalizeAddress(address);
  if (!normalized) return false;
  const parsed = ipaddr.process(normalized);
  return ranges.some(([base, bits]) => parsed.kind() === base.kind() && parsed.match(base, bits));
}

const maxForwardedHops = 32;

/**
 * The client's address by the one rule that cannot be forged from outside: the socket's peer, unless that peer is a
 * configured proxy; then the right-most address of X-Forwarded-For that is not itself a configured proxy. Anything
 * unreadable in the header ends the walk at the last hop that could be believed. `Forwarded`, `X-Real-IP` and their
 * cousins are never read.
 */
export function clientAddress(
  peer: string | undefined,
  forwardedFor: string | readonly string[] | undefined,
  trustedProxies: Ranges,
): string | null {
  let believed = normalizeAddress(peer);
  if (trustedProxies.length === 0 || forwardedFor === undefined || !isInRanges(believed, trustedProxies))
    return believed;
  const hops = (typeof forwardedFor === 'string' ? forwardedFor : forwardedFor.join(',')).split(',');
  for (const hop of hops.slice(-maxForwardedHops).reverse()) {
    const address = normalizeAddress(hop.trim());
    if (!address) return believed;
    believed = address;
    if (!isInRanges(address, trustedProxies)) return believed;
  }
  return believed;
}

/** The network a source is counted by: /24 for IPv4, /48 for IPv6, so that one household or host is one source. */
export function sourcePrefix(address: string | null): string {
  const normalized = normalizeAddress(address);
  if (!normalized) return 'unknown';
  const parsed = ipaddr.process(normalized);
  const bits = parsed.kind() === 'ipv4' ? 24 : 48;
  const network =
    parsed.kind() === 'ipv4'
      ? ipaddr.IPv4.networkAddressFromCIDR(`${normalized}/${bits}`)
      : ipaddr.IPv6.networkAddressFromCIDR(`${normalized}/${bits}`);
  return `${network.toString()}/${bits}`;
}

/** Loopback and private ranges (RFC 1918, RFC 4193, link-local): the default of whatever is for neighbours only. */
export const privateRanges: Ranges = parseRanges([
  '127.0.0.0/8',
  '::1/128',
  '10.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '169.254.0.0/16',
  'fc00::/7',
  'fe80::/10',
]);

export const loopbackRanges: Ranges = parseRanges(['127.0.0.0/8', '::1/128']);
