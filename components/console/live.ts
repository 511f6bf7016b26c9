'use client';

import { type QueryClient, useQueryClient } from '@tanstack/react-query';
import { useRouter } from 'next/navigation';
import { useEffect, useSyncExternalStore } from 'react';

/** The stream every tab listens to. It carries topics and ids only; the data is read again with the person's rights. */
const LIVE_PATH = '/api/v1/live';
/** How often everything watched is read again while the stream is down. */
const POLL_MS = 15_000;
/** How long a closed stream rests before it is opened again. */
const REOPEN_MS = 5_000;
/** Changes that arrive together cause one refresh. */
const SETTLE_MS = 120;

export type LiveStatus = 'connecting' | 'live' | 'reconnecting';
export type LiveState = {
  status: LiveStatus;
  /** When the stream was last known to be up, or null if never. */
  lastLiveAtMs: number | null;
};

type Change = { topic: string; id?: string };
type Listener = (change: Change | null) => void;

const IDLE: LiveState = { status: 'connecting', lastLiveAtMs: null };

/**
 * One EventSource for the tab, open while anything watches and the tab is visible: browsers allow six connections
 * per host over HTTP/1.1, and hidden tabs would use them up. `null` tells a listener that anything may have changed.
 */
class LiveConnection {
  #source: EventSource | null = null;
  #listeners = new Set<Listener>();
  #observers = new Set<() => void>();
  #state: LiveState = IDLE;
  #poll: ReturnType<typeof setInterval> | undefined;
  #reopen: ReturnType<typeof setTimeout> | undefined;
  #missed = false;

  get state(): LiveState {
    return this.#state;
  }

  observe = (observer: () => void): (() => void) => {
    this.#observers.add(observer);
    return () => this.#observers.delete(observer);
  };

  listen(listener: Listener): () => void {
    this.#listeners.add(listener);
    if (this.#listeners.size === 1) {
      document.addEventListener('visibilitychange', this.#onVisibility);
      this.#open();
    }
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size === 0) {
        document.removeEventListener('visibilitychange', this.#onVisibility);
        this.#close();
      }
    };
  }

  #open(): void {
    if (this.#source || document.hidden) return;
    clearTimeout(this.#reopen);
    const source = new EventSource(LIVE_PATH);
    this.#source = source;
    source.addEventListener('open', () => {
      this.#stopPolling();
      this.#set({ status: 'live', lastLiveAtMs: Date.now() });
      if (this.#missed) this.#tell(null);
      this.#missed = false;
    });
    source.addEventListener('change', (event) => {
      const change = parseChange(event.data);
      if (change) this.#tell(change);
    });
    source.addEventListener('error', () => {
      this.#missed = true;
      this.#set({
        status: 'reconnecting',
        lastLiveAtMs: this.#state.status === 'live' ? Date.now() : this.#state.lastLiveAtMs,
      });
      this.#startPolling();
      // The browser retries a broken stream itself, but gives up when the answer was not a stream at all.
      if (source.readyState === EventSource.CLOSED) {
        this.#source = null;
        this.#reopen = setTimeout(() => this.#open(), REOPEN_MS);
      }
    });
  }

  #close(): void {
    this.#source?.close();
    this.#source = null;
    clearTimeout(this.#reopen);
    this.#stopPolling();
  }

  #onVisibility = (): void => {
    if (document.hidden) {
      this.#missed = true;
      this.#close();
    } else {
      this.#open();
    }
  };

  #startPolling(): void {
    this.#poll ??= setInterval(() => this.#tell(null), POLL_MS);
  }

  #stopPolling(): void {
    clearInterval(this.#poll);
    this.#poll = undefined;
  }

  #tell(change: Change | null): void {
    for (const listener of this.#listeners) listener(change);
  }

  #set(state: LiveState): void {
    this.#state = state;
    for (const observer of this.#observers) observer();
  }
}

const connection = new LiveConnection();

function parseChange(data: unknown): Change | null {
  try {
    const value: unknown = JSON.parse(String(data));
    if (typeof value !== 'object' || value === null || !('topic' in value)) return null;
    const { topic, id } = value as { topic: unknown; id?: unknown };
    if (typeof topic !== 'string') return null;
    return typeof id === 'string' ? { topic, id } : { topic };
  } catch {
    return null;
  }
}

/**
 * Keeps what is on screen true. Query keys start with their topic (`['requests', …]`); a change of that topic reads
 * the active ones again. With `refresh` the server page is rendered again as well, for pages without queries.
 * Reads are made again every 15 s while the stream is down.
 */
export function useLive(
  topics: ReadonlyArray<string>,
  options: { id?: string; refresh?: boolean } = {},
): void {
  const client = useQueryClient();
  const router = useRouter();
  const { id, refresh = false } = options;
  const key = topics.join('\n');
  useEffect(() => {
    const watched = key.split('\n');
    let stale = new Set<string>();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const settle = () => {
      timer = undefined;
      const now = stale;
      stale = new Set();
      invalidate(client, now);
      if (refresh) router.refresh();
    };
    const stop = connection.listen((change) => {
      if (change && (!watched.includes(change.topic) || (id && change.id && change.id !== id))) return;
      for (const topic of change ? [change.topic] : watched) stale.add(topic);
      timer ??= setTimeout(settle, SETTLE_MS);
    });
    return () => {
      clearTimeout(timer);
      stop();
    };
  }, [client, router, key, id, refresh]);
}

function invalidate(client: QueryClient, topics: ReadonlySet<string>): void {
  for (const topic of topics) void client.invalidateQueries({ queryKey: [topic] });
}

/** How fresh the page is, for the indicator in the header. */
export function useLiveState(): LiveState {
  return useSyncExternalStore(
    connection.observe,
    () => connection.state,
    () => IDLE,
  );
}

/** Keeps the stream open without watching a topic, so that the indicator tells the truth on every page. */
export function useLiveConnection(): void {
  useEffect(() => connection.listen(() => {}), []);
}
