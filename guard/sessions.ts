import type { Principal } from './token.ts';

const maxSessions = 10_000;
const maxTasks = 10_000;

/** Who a session or task belongs to: the agent, whoever owns it, and the client it came through. */
export function holderOf({ claims }: Principal): string {
  return JSON.stringify([claims.cs.agent, claims.sub, claims.client_id]);
}

type Session = { holder: string; agentId: string | null };

/**
 * Session ids the server behind the guard gave out, each bound to whoever began
 * it. The oldest go when there are too many.
 */
export class Sessions {
  readonly #sessions = new Map<string, Session>();

  /** Returns the ids that had to go, for the server to be told. */
  bind(sessionId: string, holder: string, agentId: string | null): string[] {
    this.#sessions.set(sessionId, { holder, agentId });
    const evicted: string[] = [];
    for (const id of this.#sessions.keys()) {
      if (this.#sessions.size - evicted.length <= maxSessions) break;
      evicted.push(id);
    }
    for (const id of evicted) this.#sessions.delete(id);
    return evicted;
  }

  /** Whether this session exists and is the holder's; a foreign one looks like none at all. */
  belongs(sessionId: string, holder: string): boolean {
    return this.#sessions.get(sessionId)?.holder === holder;
  }

  forget(sessionId: string): void {
    this.#sessions.delete(sessionId);
  }

  /** Forgets and returns the sessions of agents that `isDead`. */
  takeDead(isDead: (agentId: string) => boolean): string[] {
    const dead = [...this.#sessions].filter(([, { agentId }]) => agentId !== null && isDead(agentId));
    for (const [id] of dead) this.#sessions.delete(id);
    return dead.map(([id]) => id);
  }
}

/** Tasks that calls began (MCP tasks), each bound to its holder and the tool it runs. */
export class Tasks {
  readonly #tasks = new Map<string, { holder: string; tool: string }>();

  bind(taskId: string, holder: string, tool: string): void {
    const oldest = this.#tasks.size >= maxTasks ? this.#tasks.keys().next().value : undefined;
    if (oldest !== undefined) this.#tasks.delete(oldest);
    this.#tasks.set(taskId, { holder, tool });
  }

  /** The tool of the holder's task, or null when there is no such task of theirs. */
  toolOf(taskId: unknown, holder: string): string | null {
    const task = typeof taskId === 'string' ? this.#tasks.get(taskId) : undefined;
    return task?.holder === holder ? task.tool : null;
  }
}
