/** What the address of the page holds. */
export const expiryParameters = [
  'by',
  'from',
  'to',
  'ownerId',
  'serverId',
  'risk',
  'sort',
  'cursor',
] as const;
export type ExpiryAddress = Partial<Record<(typeof expiryParameters)[number], string>>;

/** The page with this change; another filter starts at its first page again. */
export function expiryHref(address: ExpiryAddress, change: ExpiryAddress = {}): string {
  const next: ExpiryAddress = { ...address, cursor: '', ...change };
  const parameters = new URLSearchParams();
  for (const name of expiryParameters) {
    const value = next[name];
    if (value) parameters.set(name, value);
  }
  return parameters.size > 0 ? `/expiry?${parameters}` : '/expiry';
}
