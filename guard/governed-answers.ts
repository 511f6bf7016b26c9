import type { Caller } from './callers.ts';
import { toolDefinitionDigest } from './canonical.ts';
import type { FeedClient } from './feed-client.ts';
import { isObject, type Message, type Params } from './json-rpc.ts';
import type { Judge, MethodRule } from './judge.ts';
import type { Reporter } from './reports.ts';
import { type Rewrite, rewriteResult } from './rewrite.ts';
import { holderOf, type Tasks } from './sessions.ts';
import type { Principal } from './token.ts';

const maxTtlMs = 60_000;
const maxSeenDifferences = 10_000;

/** Changes what a server answers into what this caller may see of it. */
export class GovernedAnswers {
  readonly #serverId: string;
  readonly #feed: FeedClient;
  readonly #reporter: Reporter;
  readonly #judge: Judge;
  readonly #tasks: Tasks;
  readonly #seenDifferences = new Set<string>();

  constructor(options: {
    serverId: string;
    feed: FeedClient;
    reporter: Reporter;
    judge: Judge;
    tasks: Tasks;
  }) {
    this.#serverId = options.serverId;
    this.#feed = options.feed;
    this.#reporter = options.reporter;
    this.#judge = options.judge;
    this.#tasks = options.tasks;
  }

  /** How an answer to `message` is changed on its way to the caller; null when it passes as it is. */
  rewriteFor(
    caller: Caller,
    message: Message,
    modern: boolean,
    rule: MethodRule | null,
    tool: string | null,
  ): Rewrite | null {
    if (message.kind !== 'request') return null;
    if (caller.kind === 'catalogue') return null;
    const { principal } = caller;
    if (rule === 'list') return (each) => this.#filterLists(each, principal, modern);
    if (message.method === 'initialize' || message.method === 'server/discover') return withoutUngoverned;
    const mayBeginTask = rule === 'call' && tool !== null && (modern || isObject(message.params?.task));
    if (mayBeginTask) return (each) => this.#noteTask(each, principal, tool);
    return null;
  }

  #filterLists(
    message: Record<string, unknown>,
    principal: Principal,
    modern: boolean,
  ): Record<string, unknown> {
    return rewriteResult(message, (result) => {
      const filtered = { ...result };
      if (Array.isArray(result.tools)) {
        this.#noteDifferences(result.tools);
        const slice = this.#feed.current(this.#serverId);
        const at = new Date(this.#feed.lease.gateNowMs());
        filtered.tools = result.tools.filter(
          (tool) =>
            slice !== null &&
            isObject(tool) &&
            typeof tool.name === 'string' &&
            this.#judge.lists(slice, principal, tool.name, at),
        );
      }
      if (Array.isArray(result.tasks)) {
        const holder = holderOf(principal);
        filtered.tasks = result.tasks.filter(
          (task) => isObject(task) && this.#tasks.toolOf(task.taskId, holder) !== null,
        );
      }
      if (modern) {
        // What one agent may see is nothing for a shared cache, nor for long.
        filtered.cacheScope = 'private';
        filtered.ttlMs = Math.min(typeof result.ttlMs === 'number' ? result.ttlMs : 0, maxTtlMs);
      }
      return filtered;
    });
  }

  #noteTask(message: Record<string, unknown>, principal: Principal, tool: string): Record<string, unknown> {
    if (isObject(message.result)) {
      const { task, taskId } = message.result;
      const id = isObject(task) ? task.taskId : taskId;
      if (typeof id === 'string') this.#tasks.bind(id, holderOf(principal), tool);
    }
    return message;
  }

  /** Reports, once each, a tool whose definition is not the one that was reviewed. */
  #noteDifferences(tools: unknown[]): void {
    const slice = this.#feed.slices.get(this.#serverId);
    if (!slice) return;
    for (const tool of tools) {
      if (!isObject(tool) || typeof tool.name !== 'string') continue;
      const reviewed = slice.tools.get(tool.name);
      if (!reviewed) continue;
      const digest = toolDefinitionDigest(tool);
      const key = `${tool.name} ${reviewed.definitionDigest} ${digest}`;
      if (digest === reviewed.definitionDigest || this.#seenDifferences.has(key)) continue;
      if (this.#seenDifferences.size > maxSeenDifferences) this.#seenDifferences.clear();
      this.#seenDifferences.add(key);
      this.#reporter.record({
        kind: 'condition',
        condition: 'tools_differ',
        serverId: this.#serverId,
        detail: JSON.stringify({ tool: tool.name, reviewed: reviewed.definitionDigest, found: digest }).slice(
          0,
          1024,
        ),
      });
    }
  }

  /** A resumed stream may bring the answer to an earlier list. */
  filterReplayed(message: Record<string, unknown>, principal: Principal): Record<string, unknown> {
    const { result } = message;
    if (!isObject(result) || !(Array.isArray(result.tools) || Array.isArray(result.tasks))) return message;
    return this.#filterLists(message, principal, false);
  }
}

/** What the guard does not let through is not advertised either. */
function withoutUngoverned(message: Record<string, unknown>): Record<string, unknown> {
  return rewriteResult(message, (result) => {
    if (!isObject(result.capabilities)) return result;
    const { prompts: _, resources: __, completions: ___, ...capabilities } = result.capabilities;
    return { ...result, capabilities };
  });
}

/** The answer to a list of what approvals do not name. */
export function emptyList(method: string, modern: boolean): Params {
  const member = { 'prompts/list': 'prompts', 'resources/list': 'resources' }[method] ?? 'resourceTemplates';
  return { ...(modern ? { resultType: 'complete', ttlMs: 0, cacheScope: 'private' } : {}), [member]: [] };
}
