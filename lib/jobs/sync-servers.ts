import { requireSystem } from '#lib/access/require.ts';
import { publishServerChange } from '#lib/agents/publish-server-change.ts';
import { nextSyncAfter } from '#lib/catalogue/sync-schedule.ts';
import { syncServer } from '#lib/catalogue/sync-server.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { DomainError } from '#lib/platform/errors.ts';
import { mintCatalogueToken } from '#lib/revocation/guards.ts';
import type { Services } from './services.ts';

/** Servers one run reads; the rest is due in the next minute. */
const mostSyncsARun = 10;

/**
 * Reads the tools of every server whose time has come. A failure, whatever its kind, is on record with its server and
 * ends nothing else. Its time is moved on before it is asked: one that ends the process is not the first again, and two
 * workers do not ask the same.
 */
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
    select: { id: true, syncEverySeconds: true, syncFailures: true, nextSyncAt: true },
  });
  for (const { id, syncEverySeconds, syncFailures, nextSyncAt } of due) {
    try {
      const { count } = await ctx.db.prisma.mcpServer.updateMany({
        where: { id, state: 'active', nextSyncAt },
        data: { nextSyncAt: nextSyncAfter(ctx.clock.now(), syncEverySeconds, syncFailures + 1) },
      });
      if (count === 0) continue;
      await syncServer(
        ctx,
        { serverId: id },
        { publish: publishServerChange, catalogueToken: mintCatalogueToken },
      );
    } catch (error) {
      const line = 'the tools of a server could not be read';
      if (error instanceof DomainError) services.log.warn({ err: error, serverId: id }, line);
      else services.log.error({ err: error, serverId: id }, line);
    }
  }
}
