const kinds: Record<string, string> = {
  dynamic: 'Registered itself',
  'metadata document': 'Metadata document',
  manual: 'Owner’s form',
};

/** How a client came in, in words. */
export function kindWord(kind: string): string {
  return kinds[kind] ?? kind;
}

/** The page of a client. An id that is a URL travels in a form no proxy rewrites. */
export function clientHref(clientId: string): string {
  return `/clients/${/^client_/.test(clientId) ? clientId : `~${toBase64Url(clientId)}`}`;
}

/** The client_id a page address names, in either form. */
export function clientIdOf(segment: string): string {
  if (!segment.startsWith('~')) return decodeURIComponent(segment);
  const bytes = Uint8Array.from(
    atob(segment.slice(1).replaceAll('-', '+').replaceAll('_', '/')),
    (character) => character.charCodeAt(0),
  );
  return new TextDecoder().decode(bytes);
}

function toBase64Url(text: string): string {
  const bytes = new TextEncoder().encode(text);
  return btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '');
}
