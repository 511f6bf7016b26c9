import type { EventRewriter } from './rewrite.ts';
import type { Slice } from './slice.ts';
import type { Principal } from './token.ts';

/** An answer that is still under way. */
export type LiveExchange = {
  principal: Principal;
  /** The tool being called; null for a stream that only listens. */
  tool: string | null;
  /** Set for streams that take messages of the guard, with the id they must carry. */
  listener: { stream: EventRewriter; subscriptionId: string | number | null } | null;
  cut(reason: string): void;
};

/** All answers under way at one server, so that they can end with the authority they run on. */
export class LiveExchanges {
  readonly #live = new Set<LiveExchange>();

  add(exchange: LiveExchange): () => void {
    this.#live.add(exchange);
    return () => this.#live.delete(exchange);
  }

  get size(): number {
    return this.#live.size;
  }

  /** Ends what the slice no longer carries. */
  cutUnauthorised(slice: Slice | null): void {
    for (const exchange of this.#live)
      if (!slice || !stillCarried(exchange, slice)) exchange.cut('authority_ended');
  }

  cutAll(reason: string): void {
    for (const exchange of this.#live) exchange.cut(reason);
  }

  /** Tells listening agents that their tools are not what they were. */
  announceTools(concerns: (agentId: string) => boolean): void {
    for (const { principal, listener } of this.#live) {
      if (!listener || !concerns(principal.agent.id)) continue;
      const { stream, subscriptionId } = listener;
      stream.inject({
        jsonrpc: '2.0',
        method: 'notifications/tools/list_changed',
        ...(subscriptionId === null
          ? {}
          : { params: { _meta: { 'io.modelcontextprotocol/subscriptionId': subscriptionId } } }),
      });
    }
  }
}

/** A narrowed approval keeps what it still holds; a raised epoch or an ended binding keeps nothing. */
function stillCarried({ principal, tool }: LiveExchange, slice: Slice): boolean {
  const agent = slice.agents.get(principal.agent.id);
  if (agent?.state !== 'active' || agent.epoch !== principal.claims.cs.epoch) return false;
  const binding = slice.bindings.get(principal.binding.id);
  if (!binding) return false;
  return tool === null || slice.grantedTools(binding).has(tool);
}
