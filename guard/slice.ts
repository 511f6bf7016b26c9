import { createHash } from 'node:crypto';
import { createLocalJWKSet } from 'jose';
import type {
  AgentFacts,
  BindingFacts,
  FeedEntry,
  PolicySlice,
  PublicJwks,
  ServerFacts,
  Snapshot,
  ToolFacts,
} from './protocol.ts';

/**
 * Digest of a set that can be updated member by member: the XOR of the members'
 * SHA-256. Both sides keep one and compare; it finds divergence, it does not
 * prove anything to someone who distrusts the signer.
 */
export class SliceDigest {
  readonly #sum = new Uint8Array(32);

  /** Adds a member that is absent, removes one that is present. */
  toggle(member: string): void {
    const hash = createHash('sha256').update(member).digest();
    for (let index = 0; index < 32; index++) this.#sum[index] = (this.#sum[index] ?? 0) ^ (hash[index] ?? 0);
  }

  value(): string {
    return Buffer.from(this.#sum).toString('base64url');
  }
}

/** A newer fact contradicts an older one in a way no honest gate produces. */
export class RegressionError extends Error {}

/**
 * What is known about one MCP server: the fold of a snapshot and the entries
 * after it. Used by the guard to decide and by the gate to know the digest its
 * heartbeats must carry, so both compute the same.
 */
export class Slice {
  readonly serverId: string;
  server: ServerFacts;
  generation: number;
  head: number;
  policy: PolicySlice;
  /** Raised with every change a cached decision could depend on, other than those of one agent. */
  revision = 0;
  /** By exact name; each object stands for one state of one tool. */
  readonly tools = new Map<string, ToolFacts & { serverId: string }>();
  readonly agents = new Map<string, AgentFacts>();
  readonly bindings = new Map<string, BindingFacts>();
  readonly killedKeys = new Set<string>();
  /** Token ids and families ended before their time, with the instant after which none of them can be presented. */
  readonly endedCredentials = new Map<string, number>();
  readonly #toolsOfBinding = new WeakMap<BindingFacts, ReadonlyMap<string, BindingFacts['tools'][number]>>();
  readonly #digest = new SliceDigest();
  #tokenKeys: PublicJwks;
  #keySet: ReturnType<typeof createLocalJWKSet>;

  constructor(snapshot: Snapshot) {
    this.serverId = snapshot.server.id;
    this.server = snapshot.server;
    this.generation = snapshot.generation;
    this.head = snapshot.head;
    this.policy = snapshot.policy;
    this.#putTools(snapshot.tools);
    for (const agent of snapshot.agents) this.#putAgent(agent);
    for (const binding of snapshot.bindings) this.#putBinding(binding);
    this.#tokenKeys = snapshot.tokenKeys;
    for (const kid of snapshot.killedKeys) this.#killKey(kid);
    for (const { id, untilMs } of snapshot.endedCredentials ?? []) this.endedCredentials.set(id, untilMs);
    this.#keySet = this.#liveKeySet();
  }

  /**
   * Applies the entry that follows `head`. Throws `RegressionError` on a gap or
   * on an epoch or version that goes back, leaving the slice as it was.
   */
  apply(entry: FeedEntry): void {
    if (entry.sequence !== this.head + 1)
      throw new RegressionError(`entry ${entry.sequence} does not follow ${this.head}`);
    switch (entry.kind) {
      case 'agent.changed': {
        const known = this.agents.get(entry.agent.id);
        if (known && entry.agent.epoch < known.epoch) throw new RegressionError('an epoch went back');
        this.#putAgent(entry.agent);
        break;
      }
      case 'binding.changed': {
        const known = this.bindings.get(entry.binding.id);
        if (known && entry.binding.version < known.version) throw new RegressionError('a version went back');
        this.#putBinding(entry.binding);
        break;
      }
      case 'binding.ended':
        this.#dropBinding(entry.bindingId);
        break;
      case 'credentials.ended':
        for (const [id, untilMs] of this.endedCredentials) {
          // In the order they were told of, which is the order they lapse in: the first that has not ends the search.
          if (untilMs >= entry.atMs) break;
          this.endedCredentials.delete(id);
        }
        for (const id of [...entry.tokenIds, ...entry.families]) this.endedCredentials.set(id, entry.untilMs);
        break;
      case 'server.changed':
        this.server = entry.server;
        this.#putTools(entry.tools);
        this.revision++;
        break;
      case 'policy.changed':
        this.policy = entry.policy;
        this.revision++;
        break;
      case 'keys.changed':
        this.#tokenKeys = entry.tokenKeys;
        this.#keySet = this.#liveKeySet();
        break;
      case 'key.killed':
        this.#killKey(entry.kid);
        this.#keySet = this.#liveKeySet();
        break;
    }
    this.head = entry.sequence;
  }

  denySetDigest(): string {
    return this.#digest.value();
  }

  /** The keys that may have signed an access token: those in use less those killed. */
  keySet(): ReturnType<typeof createLocalJWKSet> {
    return this.#keySet;
  }

  knowsKey(kid: string): boolean {
    return this.killedKeys.has(kid) || this.#tokenKeys.keys.some((key) => key.kid === kid);
  }

  /** The tools of a binding by exact name. */
  grantedTools(binding: BindingFacts): ReadonlyMap<string, BindingFacts['tools'][number]> {
    let byName = this.#toolsOfBinding.get(binding);
    if (!byName) {
      byName = new Map(binding.tools.map((tool) => [tool.name, tool]));
      this.#toolsOfBinding.set(binding, byName);
    }
    return byName;
  }

  #putTools(tools: readonly ToolFacts[]): void {
    this.tools.clear();
    for (const tool of tools) this.tools.set(tool.name, { ...tool, serverId: this.serverId });
  }

  #putAgent(agent: AgentFacts): void {
    const known = this.agents.get(agent.id);
    if (known) this.#digest.toggle(agentMember(known));
    this.#digest.toggle(agentMember(agent));
    this.agents.set(agent.id, agent);
  }

  #putBinding(binding: BindingFacts): void {
    this.#dropBinding(binding.id);
    this.#digest.toggle(bindingMember(binding));
    this.bindings.set(binding.id, binding);
  }

  #dropBinding(bindingId: string): void {
    const known = this.bindings.get(bindingId);
    if (!known) return;
    this.#digest.toggle(bindingMember(known));
    this.bindings.delete(bindingId);
  }

  #killKey(kid: string): void {
    if (this.killedKeys.has(kid)) return;
    this.killedKeys.add(kid);
    this.#digest.toggle(`key ${kid}`);
  }

  #liveKeySet(): ReturnType<typeof createLocalJWKSet> {
    return createLocalJWKSet({
      keys: this.#tokenKeys.keys.filter((key) => key.kid !== undefined && !this.killedKeys.has(key.kid)),
    });
  }
}

const agentMember = (agent: AgentFacts) => `agent ${agent.id} ${agent.epoch} ${agent.state}`;
const bindingMember = (binding: BindingFacts) =>
  `binding ${binding.id} ${binding.version} ${binding.toolsDigest}`;
