import type { Snapshot } from '#lib/agents/snapshot.ts';
import type { Tx } from '#lib/platform/db.ts';

export type StaleFact = { what: 'tool' | 'client'; id: string; name: string; text: string };

/**
 * What a snapshot says that is no longer so: tools redefined, reclassified or gone, clients whose metadata changed.
 * A decision on such a snapshot would approve something nobody looked at.
 */
export async function findStaleFacts(
  tx: Tx,
  snapshot: Pick<Snapshot, 'tools' | 'instances'>,
): Promise<StaleFact[]> {
  const tools = await tx.tool.findMany({
    where: { id: { in: snapshot.tools.map((tool) => tool.toolId) } },
    include: {
      server: { select: { state: true } },
      versions: { orderBy: { version: 'desc' }, take: 1 },
    },
  });
  const stale: StaleFact[] = [];
  for (const tool of snapshot.tools) {
    const row = tools.find((each) => each.id === tool.toolId);
    const version = row?.versions[0];
    const say = (text: string) =>
      stale.push({ what: 'tool', id: tool.toolId, name: tool.name, text: `${tool.name} ${text}` });
    if (!row || !version || row.removedAt || row.server.state !== 'active') say('is no longer offered');
    else if (version.id !== tool.toolVersionId) say('has a new definition');
    else if (version.class !== tool.class || version.risk !== tool.risk) {
      say(`is now classed ${version.class}, ${version.risk} risk`);
    }
  }
  const clients = await tx.client.findMany({
    where: { id: { in: snapshot.instances.map((instance) => instance.clientId) } },
    select: { id: true, metadataDigest: true, pendingDigest: true, forgottenAt: true },
  });
  for (const instance of snapshot.instances) {
    const client = clients.find((each) => each.id === instance.clientId);
    const says = client ? [client.metadataDigest, client.pendingDigest] : [];
    if (!client || client.forgottenAt || !says.includes(instance.metadataDigest)) {
      stale.push({
        what: 'client',
        id: instance.clientId,
        name: instance.clientId,
        text: client && !client.forgottenAt ? 'The client’s metadata changed' : 'The client is gone',
      });
    }
  }
  return stale;
}
