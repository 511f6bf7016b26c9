import { type EventKind, eventCatalogue } from '#lib/audit/catalogue.ts';

/** What an event says to a person; a kind this version does not know says its own name. */
export function eventSentence(kind: string): string {
  return Object.hasOwn(eventCatalogue, kind) ? eventCatalogue[kind as EventKind].says : kind;
}

/** Who did it, as text: a name, a kind of machine, or nobody known. */
export function actorText(event: { actorKind: string; actorName: string; actorId: string | null }): string {
  if (event.actorKind === 'anonymous') return 'Nobody known';
  if (event.actorKind === 'system') return `Countersign${event.actorId ? ` (${event.actorId})` : ''}`;
  if (event.actorKind === 'guard') return `Guard ${event.actorName || event.actorId || ''}`.trim();
  return event.actorName || event.actorId || event.actorKind;
}

/** The page that shows a subject today, where there is one. */
export function subjectHref(kind: string, id: string): string | null {
  const pages: Record<string, string> = {
    agent: '/agents',
    client: '/clients',
    guard: '/guards',
    message: '/notifications/messages',
    person: '/people',
    'MCP server': '/servers',
    'registration request': '/requests',
    revocation: '/revocations',
    'tool set': '/tool-sets',
    webhook: '/notifications/webhooks',
  };
  const page = Object.hasOwn(pages, kind) ? pages[kind] : undefined;
  return page && id ? `${page}/${encodeURIComponent(id)}` : null;
}
