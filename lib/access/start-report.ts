import type { Ctx } from '#lib/platform/ctx.ts';
import type { Prisma } from '#lib/platform/db.ts';
import type { SettingReport } from '#lib/platform/describe-config.ts';
import { requireRole, requireSystem } from './require.ts';

export type StartReport = {
  role: string;
  version: string;
  startedAt: Date;
  settings: SettingReport[];
  /** What else the start had to say. */
  notes: string[];
};

/** Keeps what this start was told, in the place of what the last one of its kind was. Only the installation itself. */
export async function recordStart(
  ctx: Ctx,
  report: { role: string; version: string; settings: readonly SettingReport[]; notes: readonly string[] },
): Promise<void> {
  requireSystem(ctx);
  const facts = {
    version: report.version,
    startedAt: ctx.clock.now(),
    settings: report.settings as unknown as Prisma.InputJsonValue,
    notes: [...report.notes],
  };
  await ctx.db.prisma.startReport.upsert({
    where: { role: report.role },
    create: { role: report.role, ...facts },
    update: facts,
  });
}

/** What the running installation was told at its start, newest start first. For admins and auditors. */
export async function readStartReports(ctx: Ctx): Promise<StartReport[]> {
  requireRole(ctx, 'admin', 'auditor');
  const rows = await ctx.db.prisma.startReport.findMany({ orderBy: { startedAt: 'desc' } });
  return rows.map((row) => ({ ...row, settings: row.settings as unknown as SettingReport[] }));
}
