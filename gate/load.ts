import { performance } from 'node:perf_hooks';

/** How overloaded this process is, for deciding whom to turn away. */
export type LoadGauge = {
  /** How late timers fire, smoothed over about a second. */
  lagMs(): number;
  /** Sustained overload: timers late by more than `shedAboveMs` while the loop itself is busy. */
  isOverloaded(): boolean;
  stop(): void;
};

const sampleEveryMs = 20;
/** Weight of one sample, and the most one sample may say: a single stall, however long, is forgiven. */
const weight = 0.1;
const sampleCapMs = 150;
/** Below this share of busy time lateness is the machine's doing, and turning people away would not help. */
const busyShare = 0.85;

/** Above this smoothed lag anonymous requests are turned away, so that those who are known still get through. */
export const shedAboveMs = 50;

export function measureLoad(): LoadGauge {
  let smoothed = 0;
  let busy = 0;
  let expected = performance.now() + sampleEveryMs;
  let earlier = performance.eventLoopUtilization();
  const timer = setInterval(() => {
    const now = performance.now();
    smoothed += weight * (Math.min(sampleCapMs, Math.max(0, now - expected)) - smoothed);
    expected = now + sampleEveryMs;
    const current = performance.eventLoopUtilization();
    busy += weight * (performance.eventLoopUtilization(current, earlier).utilization - busy);
    earlier = current;
  }, sampleEveryMs);
  timer.unref();
  return {
    lagMs: () => smoothed,
    isOverloaded: () => smoothed > shedAboveMs && busy > busyShare,
    stop: () => clearInterval(timer),
  };
}
