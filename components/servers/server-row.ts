/** What a list of servers shows of each. */
export type ServerRow = {
  id: string;
  name: string;
  description: string;
  resource: string;
  environment: string;
  state: string;
  tools: number;
  /** Tools nobody has confirmed: they count as unclassified and high risk. */
  unconfirmed: number;
  lastSyncedAt: string | null;
  lastSyncError: string | null;
};

type Server = Omit<ServerRow, 'tools' | 'unconfirmed' | 'lastSyncedAt'> & {
  lastSyncedAt: string | Date | null;
  tools: readonly { confirmedAt: string | Date | null; removedAt: string | Date | null }[];
};

export function toServerRow(server: Server): ServerRow {
  const offered = server.tools.filter((tool) => tool.removedAt === null);
  return {
    id: server.id,
    name: server.name,
    description: server.description,
    resource: server.resource,
    environment: server.environment,
    state: server.state,
    tools: offered.length,
    unconfirmed: offered.filter((tool) => tool.confirmedAt === null).length,
    lastSyncedAt: server.lastSyncedAt ? new Date(server.lastSyncedAt).toISOString() : null,
    lastSyncError: server.lastSyncError,
  };
}

/** How a server stands: the last reading of its tools decides. */
export function serverStanding(
  row: ServerRow,
): 'retired' | 'failed' | 'never read' | 'unconfirmed' | 'ready' {
  if (row.state !== 'active') return 'retired';
  if (row.lastSyncError) return 'failed';
  if (!row.lastSyncedAt) return 'never read';
  return row.unconfirmed > 0 ? 'unconfirmed' : 'ready';
}
