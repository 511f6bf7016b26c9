import { hostname } from 'node:os';
import { type DiskState, renewSeconds, reportDiskSpace } from '#lib/jobs/disk-space.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { type FreeSpace, readFreeSpace } from '#lib/platform/free-space.ts';
import type { Logger } from '#lib/platform/log.ts';
import { dataFreeBytes } from './health.ts';

export type DiskWatch = { state(): DiskState; stop(): void };

export type DiskLimits = {
  /** Below this people are told, below `stopBytes` nobody unknown may register. Zero switches either off. */
  lowBytes: number;
  stopBytes: number;
};

const lookEveryMs = 10_000;
/** A state is left for a better one only with this much room above its limit, so that it does not flicker. */
const marginShare = 0.1;

/** The state of a disk with so much room, coming from another. Pure. */
export function diskStateOf(freeBytes: number, before: DiskState, limits: DiskLimits): DiskState {
  const below = (limit: number, isIn: boolean) => freeBytes < limit * (isIn ? 1 + marginShare : 1);
  if (below(limits.stopBytes, before === 'critical')) return 'critical';
  if (below(limits.lowBytes, before !== 'ok')) return 'low';
  return 'ok';
}

/**
 * Looks at the disks of a gate now and every ten seconds. What it finds counts in this process at once; history is
 * told as soon as it can be written, so a disk that is full already is only told of when there is room again.
 */
export async function watchDisk(options: {
  folders: readonly string[];
  limits: DiskLimits;
  ctx(): Ctx;
  log: Pick<Logger, 'warn' | 'error'>;
  /** Another look than the file system's, for tests. */
  read?: (folders: readonly string[]) => Promise<FreeSpace>;
  everyMs?: number;
}): Promise<DiskWatch> {
  const { folders, limits, log } = options;
  const read = options.read ?? readFreeSpace;
  let state: DiskState = 'ok';
  let told: DiskState | null = null;
  let toldAtMs = 0;
  let looking: Promise<void> | null = null;

  async function look(): Promise<void> {
    const { folder, freeBytes } = await read(folders);
    dataFreeBytes.set(freeBytes);
    state = diskStateOf(freeBytes, state, limits);
    const { clock } = options.ctx();
    const isOld = state !== 'ok' && clock.monotonicMs() - toldAtMs > renewSeconds * 1000;
    if (state === told && !isOld) return;
    const saying = state;
    if (saying !== 'ok') log.warn({ folder, freeBytes, state: saying }, 'the disk runs low');
    await reportDiskSpace(options.ctx(), { state: saying, freeBytes, folder, host: hostname() });
    told = saying;
    toldAtMs = clock.monotonicMs();
  }
  const lookOnce = () => {
    looking ??= look()
      .catch((error: unknown) => log.error({ err: error }, 'free space could not be looked at or told'))
      .finally(() => {
        looking = null;
      });
    return looking;
  };
  await lookOnce();
  const timer = setInterval(lookOnce, options.everyMs ?? lookEveryMs);
  timer.unref();
  return { state: () => state, stop: () => clearInterval(timer) };
}
