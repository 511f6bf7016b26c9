import pg from 'pg';

export type Listener = {
  /** Channels of NOTIFY; the connection listens on all that any listener names. */
  channels: readonly string[];
  /** A notification arrived. Must not throw; what it starts runs on by itself. */
  onNotice(channel: string, payload: string): void;
  /**
   * The connection listens again after it was lost: whatever was notified in between was not heard. The next attempt
   * follows when it rejects.
   */
  onBack?(): Promise<void> | void;
  /** The connection is lost: until `onBack`, nothing is heard. */
  onLost?(): void;
};

/** The one connection of a process that PostgreSQL's notifications arrive on. */
export type WakeUps = {
  /**
   * Adds a listener; resolves when the connection listens on its channels or, while it is lost, will as soon as it is
   * back: then `onBack` tells. Answers how to take the listener off again.
   */
  listen(listener: Listener): Promise<() => void>;
  close(): Promise<void>;
};

const againMs = 250;
const connectTimeoutMs = 5_000;

/**
 * Opens the connection. One for everything a process waits for: at every NOTIFY PostgreSQL wakes each connection that
 * listens to anything at all, and at thousands of commits a second that costs more than the commits.
 */
export async function openWakeUps(databaseUrl: string): Promise<WakeUps> {
  const listeners = new Set<Listener>();
  const listened = new Set<string>();
  let client: pg.Client | null = null;
  let again: NodeJS.Timeout | null = null;
  let isClosed = false;

  async function connect(): Promise<void> {
    const opening = new pg.Client({
      connectionString: databaseUrl,
      connectionTimeoutMillis: connectTimeoutMs,
      keepAlive: true,
      application_name: 'countersign wake-ups',
    });
    const gone = () => lost(opening);
    opening.on('error', gone);
    opening.on('end', gone);
    opening.on('notification', ({ channel, payload }) => {
      for (const listener of listeners) {
        if (listener.channels.includes(channel)) listener.onNotice(channel, payload ?? '');
      }
    });
    try {
      await opening.connect();
      for (const channel of listened) await opening.query(`LISTEN ${pg.escapeIdentifier(channel)}`);
    } catch (error) {
      opening.removeListener('error', gone).removeListener('end', gone);
      opening.on('error', () => {});
      await opening.end().catch(() => {});
      throw error;
    }
    // Closed while this was opened: nobody would end it any more.
    if (isClosed) await opening.end().catch(() => {});
    else client = opening;
  }

  function lost(which: pg.Client): void {
    if (which !== client) return;
    client = null;
    if (isClosed) return;
    for (const listener of listeners) listener.onLost?.();
    connectAgain();
  }

  function connectAgain(): void {
    again ??= setTimeout(() => {
      again = null;
      comeBack().catch(connectAgain);
    }, againMs);
    again.unref();
  }

  async function comeBack(): Promise<void> {
    if (isClosed) return;
    if (!client) await connect();
    for (const listener of listeners) await listener.onBack?.();
  }

  await connect();
  return {
    async listen(listener) {
      listeners.add(listener);
      for (const channel of listener.channels) {
        if (listened.has(channel)) continue;
        listened.add(channel);
        await client?.query(`LISTEN ${pg.escapeIdentifier(channel)}`);
      }
      return () => listeners.delete(listener);
    },
    async close() {
      isClosed = true;
      if (again) clearTimeout(again);
      await client?.end().catch(() => {});
    },
  };
}
