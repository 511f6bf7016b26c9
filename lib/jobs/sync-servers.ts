import { requireSystem } from '#lib/access/require.ts';
import { publishServerChange } from '#lib/agents/publish-server-change.ts';
import { syncServer } from '#lib/catalogue/sync-server.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { DomainError } from '#lib/platform/errors.ts';
import { mintCatalogueToken } from '#lib/revocation/guards.ts';
import type { Services } from './services.ts';

/** Servers one run reads; the rest is due in the next minute. */
const mostSyncsARun = 10;

/** Reads the tools of every server whose time has come. A failure is on record with its server and ends nothing else. */
export async function syncServers(
  ctx: Ctx,
  _payload: unknown,
  services: Pick<Services, 'log'>,
): Promise<void> {
  requireSystem(ctx);
  const due = await ctx.db.prisma.mcpServer.findMany({
    where: { state: 'active', nextSyncAt: { lte: ctx.clock.now() } },
    orderBy: { nextSyncAt: 'asc' },
    take: mostSyncsARun,
    select: { id: true },
  });
  for (const { id } of due) {
    try {
      await syncServer(
        ctx,
        { serverId: id },
        { publish: publishServerChange, catalogueToken: mintCatalogueToken },
      );
    } catch (error) {
      if (!(error instanceof DomainError)) throw error;
      services.log.warn({ err: error, serverId: id }, 'the tools of a server could not be read');
    }
  }
}
