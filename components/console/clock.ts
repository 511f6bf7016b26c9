'use client';

import { useSyncExternalStore } from 'react';

/** One timer for everything on the page that shows how time passes. */
const observers = new Set<() => void>();
let timer: ReturnType<typeof setInterval> | undefined;

function nowSeconds(): number {
  return Math.floor(Date.now() / 1000);
}

function observe(observer: () => void): () => void {
  observers.add(observer);
  timer ??= setInterval(() => {
    for (const notify of observers) notify();
  }, 1000);
  return () => {
    observers.delete(observer);
    if (observers.size === 0) {
      clearInterval(timer);
      timer = undefined;
    }
  };
}

/** The time of the browser in whole seconds, ticking. */
export function useNowSeconds(): number {
  return useSyncExternalStore(observe, nowSeconds, nowSeconds);
}

/** The time rounded down to `stepSeconds`, so that the component renders only when what it says can change. */
export function useNowEvery(stepSeconds: number): number {
  const read = () => Math.floor(nowSeconds() / stepSeconds) * stepSeconds;
  return useSyncExternalStore(observe, read, read);
}
