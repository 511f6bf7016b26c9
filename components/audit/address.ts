import { createLoader, createSerializer, parseAsNativeArrayOf, parseAsString } from 'nuqs/server';
import { type EventQueryInput, facetNames } from '#lib/audit/event-query.ts';

/** The address of the audit page: every property a parameter of its own, repeated for several values. */
export const auditParameters = {
  ...(Object.fromEntries(facetNames.map((name) => [name, parseAsNativeArrayOf(parseAsString)])) as Record<
    (typeof facetNames)[number],
    ReturnType<typeof parseAsNativeArrayOf<string>>
  >),
  from: parseAsString,
  to: parseAsString,
  q: parseAsString,
  cursor: parseAsString,
};

export const loadAuditAddress = createLoader(auditParameters);
const serialize = createSerializer(auditParameters);

export type AuditAddress = Awaited<ReturnType<typeof loadAuditAddress>>;

/** The search an address means; what does not parse is for the schema to refuse. */
export function toQueryInput(address: AuditAddress): EventQueryInput {
  const { cursor: _cursor, from, to, q, ...facets } = address;
  return {
    ...facets,
    ...(from ? { from } : {}),
    ...(to ? { to } : {}),
    ...(q ? { q } : {}),
  } as EventQueryInput;
}

/** The audit page with this search; `cursor` only when given, because a changed search starts at its newest page. */
export function auditHref(
  address: Partial<AuditAddress>,
  change: Partial<AuditAddress> = {},
  path = '/audit',
): string {
  const { cursor: _cursor, ...kept } = address;
  return serialize(path, { ...kept, ...change } as AuditAddress);
}

/** The same search as the REST API takes it, with the page's own words. */
export function auditApiPath(address: AuditAddress, extra: Record<string, string> = {}): `/api/v1/${string}` {
  const search = new URLSearchParams(auditHref(address).split('?')[1] ?? '');
  for (const [name, value] of Object.entries(extra)) search.set(name, value);
  return `/api/v1/audit/events?${search}`;
}
