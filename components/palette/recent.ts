const storageKey = 'countersign.recent';
const mostKept = 8;

type Store = Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>;

/** Ids alone, and whose: names are asked for anew, so that nothing is told that is not to be seen any more. */
type Kept = { person: string; ids: string[] };

/** The things this person looked at last in this browser, newest first. Somebody else's are forgotten. */
export function readRecent(store: Store, person: string): string[] {
  try {
    const kept = JSON.parse(store.getItem(storageKey) ?? 'null') as Partial<Kept> | null;
    if (kept?.person === person && Array.isArray(kept.ids)) {
      return kept.ids.filter((id) => typeof id === 'string' && id.length <= 1_000).slice(0, mostKept);
    }
    store.removeItem(storageKey);
  } catch {
    // Nothing kept, something else's, or a browser that keeps nothing.
  }
  return [];
}

export function rememberRecent(store: Store, person: string, id: string): void {
  write(store, person, [id, ...readRecent(store, person).filter((each) => each !== id)]);
}

/** Keeps those that can still be seen. */
export function keepRecent(store: Store, person: string, ids: readonly string[]): void {
  write(
    store,
    person,
    readRecent(store, person).filter((id) => ids.includes(id)),
  );
}

function write(store: Store, person: string, ids: readonly string[]): void {
  try {
    store.setItem(storageKey, JSON.stringify({ person, ids: ids.slice(0, mostKept) } satisfies Kept));
  } catch {
    // A full or closed store: the list is a convenience.
  }
}

/** The thing a page is about, by its address. */
export function idOnPage(pathname: string): string | null {
  const [, noun, id] = pathname.split('/');
  if (!id || !noun || !['agents', 'clients', 'requests', 'review', 'servers', 'people'].includes(noun))
    return null;
  const decoded = decodeURIComponent(id);
  return /^(?:agt|client|req|srv|per)_[0-9a-f]{32}$/.test(decoded) || decoded.startsWith('https://')
    ? decoded
    : null;
}
