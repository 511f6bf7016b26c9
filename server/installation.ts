import type { Clock } from '#lib/platform/clock.ts';
import type { Db } from '#lib/platform/db.ts';
import type { Config } from '#lib/platform/env.ts';
import { OperatorError } from '#lib/platform/operator-error.ts';

/** The data folder belongs to another configuration than the one this start was given. */
export class WrongInstallation extends OperatorError {}

/**
 * Compares the configuration with what this database was set up as, and remembers it on the first start. Every client
 * stores the issuer and every token names it, so a changed one would orphan them all without a word; demo data and
 * real data never meet.
 *
 * @throws WrongInstallation with what to do about it.
 */
export async function checkInstallation(
  db: Db,
  config: Config,
  clock: Clock,
): Promise<{ firstStart: boolean }> {
  const inserted = await db.prisma.installation.createMany({
    data: [{ id: 1, issuer: config.issuer, demo: config.demo, createdAt: clock.now() }],
    skipDuplicates: true,
  });
  const known = await db.prisma.installation.findUniqueOrThrow({
    where: { id: 1 },
    select: { issuer: true, demo: true },
  });
  if (known.demo !== config.demo) {
    throw new WrongInstallation(
      config.demo
        ? `${config.dataFolder} holds a real installation; the demo needs a data folder of its own (COUNTERSIGN_DATA).`
        : `${config.dataFolder} holds the demo, which nothing real may be built on; use another data folder (COUNTERSIGN_DATA).`,
    );
  }
  if (known.issuer !== config.issuer) {
    throw new WrongInstallation(
      `This installation was set up as the issuer ${known.issuer}, and is now configured as ${config.issuer}. ` +
        'Every registered client and every guard is bound to the old name. Set COUNTERSIGN_ISSUER (or PORT, which the ' +
        'default issuer contains) back to it, or begin a new installation in another COUNTERSIGN_DATA.',
    );
  }
  return { firstStart: inserted.count > 0 };
}
