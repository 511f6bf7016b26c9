import type { Context } from 'hono';
import { rolesNow } from '#lib/access/read-actor.ts';
import { DomainError, Forbidden, LimitExceeded } from '#lib/platform/errors.ts';
import type { WakeUps } from '#lib/platform/wake-ups.ts';
import type { Gate } from '../context.ts';
import { problemOf } from '../problem.ts';
import { type ApiEnv, apiActor, problemResponse } from './app.ts';

/** Tabs of one session listening at once; browsers allow six connections a host anyway. */
const maxPerSession = 8;
const maxConnections = 2_000;
const heartbeatMs = 15_000;
/** How soon a stream ends after its session has. */
const sessionCheckMs = 5_000;
/** A reader this far behind is cut off; it comes back and reads everything again. */
const maxBufferedBytes = 64 * 1024;

type Connection = {
  sessionId: string;
  personId: string;
  /** Whether the person may know of things that are not their own. */
  seesAll: boolean;
  write(text: string): void;
  end(): void;
};

/**
 * The stream each open tab listens to: which topics changed, never what. It carries ids only to those who may see
 * everything of a kind; an owner learns the topic and reads again what is theirs. Woken by LISTEN, so a change made by
 * any process reaches every tab.
 */
export class LiveHub {
  readonly #gate: Gate;
  readonly #connections = new Set<Connection>();
  #stopListening: (() => void) | null = null;
  #timers: NodeJS.Timeout[] = [];

  constructor(gate: Gate) {
    this.#gate = gate;
  }

  async start(wakeUps: WakeUps): Promise<void> {
    this.#stopListening = await wakeUps.listen({
      channels: ['countersign_change'],
      onNotice: (_channel, payload) => this.#onChange(payload),
      // What changes now is not heard: everybody comes back and reads again.
      onLost: () => this.#endAll(),
    });
    this.#timers = [
      setInterval(() => this.#beat(), heartbeatMs),
      setInterval(() => void this.#endDeadSessions(), sessionCheckMs),
    ];
    for (const timer of this.#timers) timer.unref();
  }

  close(): void {
    this.#stopListening?.();
    for (const timer of this.#timers) clearInterval(timer);
    this.#endAll();
  }

  /** Answers `GET /api/v1/live` for a browser session on the console's host. */
  async serve(c: Context<ApiEnv>): Promise<Response> {
    const traceId = c.env.caller.traceId ?? '';
    try {
      const { actor } = await apiActor(this.#gate, c);
      if (actor.kind !== 'person' || actor.via !== 'session' || !actor.sessionId) {
        throw new Forbidden('This stream is for pages of the console.');
      }
      const ofSession = [...this.#connections].filter((open) => open.sessionId === actor.sessionId);
      if (ofSession.length >= maxPerSession || this.#connections.size >= maxConnections) {
        throw new LimitExceeded('Too many open streams.', { retryAfterSeconds: 10 });
      }
      return this.#open({
        sessionId: actor.sessionId,
        personId: actor.personId,
        seesAll: actor.roles.some((role) => role !== 'owner'),
      });
    } catch (error) {
      if (!(error instanceof DomainError)) throw error;
      return problemResponse(problemOf(error, traceId));
    }
  }

  #open(who: Pick<Connection, 'sessionId' | 'personId' | 'seesAll'>): Response {
    const encoder = new TextEncoder();
    let connection: Connection | null = null;
    const forget = () => {
      if (connection) this.#connections.delete(connection);
    };
    const stream = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          connection = {
            ...who,
            write(text) {
              try {
                if ((controller.desiredSize ?? 0) < -maxBufferedBytes) return this.end();
                controller.enqueue(encoder.encode(text));
              } catch {
                forget();
              }
            },
            end() {
              forget();
              try {
                controller.close();
              } catch {
                // Closed from the other side already.
              }
            },
          };
          this.#connections.add(connection);
          connection.write('retry: 2000\n\n');
        },
        cancel: forget,
      },
      { highWaterMark: 0, size: (chunk) => chunk?.byteLength ?? 0 },
    );
    return new Response(stream, {
      headers: {
        'content-type': 'text/event-stream; charset=utf-8',
        'cache-control': 'no-store, no-transform',
        'x-accel-buffering': 'no',
        'x-content-type-options': 'nosniff',
        'cross-origin-resource-policy': 'same-origin',
        vary: 'Cookie',
      },
    });
  }

  #onChange(payload: string): void {
    let change: { topic?: unknown; id?: unknown };
    try {
      change = JSON.parse(payload);
    } catch {
      return;
    }
    if (typeof change.topic !== 'string') return;
    const topicOnly = frame({ topic: change.topic });
    // A person's own notifications are nobody else's news.
    const recipient = change.topic === 'notifications' ? change.id : null;
    const full = typeof change.id === 'string' ? frame({ topic: change.topic, id: change.id }) : topicOnly;
    for (const connection of this.#connections) {
      if (recipient !== null && recipient !== connection.personId) continue;
      connection.write(connection.seesAll && recipient === null ? full : topicOnly);
    }
  }

  #beat(): void {
    for (const connection of this.#connections) connection.write(': beat\n\n');
  }

  /** Ends streams of sessions that ended, and of people who left. Does not count as using the session. */
  async #endDeadSessions(): Promise<void> {
    const sessionIds = [...new Set([...this.#connections].map((connection) => connection.sessionId))];
    if (sessionIds.length === 0) return;
    try {
      const { rows } = await this.#gate.db.hot.query<{ id: string; roles: string[] }>({
        name: 'live sessions',
        text: `SELECT s.id, ${rolesNow} FROM person_session s JOIN person p ON p.id = s.person_id
           WHERE s.id = ANY ($1) AND s.ended_at IS NULL AND s.expires_at > $2 AND p.state = 'active'`,
        values: [sessionIds, this.#gate.clock.now()],
      });
      const alive = new Map(rows.map((row) => [row.id, row.roles]));
      for (const connection of this.#connections) {
        const roles = alive.get(connection.sessionId);
        if (!roles) connection.end();
        else connection.seesAll = roles.some((role) => role !== 'owner');
      }
    } catch (error) {
      this.#gate.log.warn({ err: error }, 'sessions of open streams could not be checked');
    }
  }

  #endAll(): void {
    for (const connection of this.#connections) connection.end();
  }
}

function frame(change: { topic: string; id?: string }): string {
  return `event: change\ndata: ${JSON.stringify(change)}\n\n`;
}
