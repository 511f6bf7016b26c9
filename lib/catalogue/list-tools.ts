import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { Unavailable } from '#lib/platform/errors.ts';
import { toOneLine } from '#lib/platform/text.ts';
import { upstreamFetch } from '#lib/platform/upstream-fetch.ts';
import { findUnstorable, type ToolAnnotations, type ToolDefinition } from './definition.ts';

export type Upstream = {
  url: string;
  headers: Readonly<Record<string, string>>;
  /** Private networks it may be in; absent: any. */
  networks?: readonly string[] | undefined;
};

export type ListedTools = { protocolRevision: string; serverName: string; tools: ToolDefinition[] };

const maxTools = 2_000;
const maxPages = 256;
/** One request of a listing; the whole of it has `deadlineMs`, however many pages it has. */
const timeoutMs = 20_000;

export type ListingLimits = { deadlineMs: number; maxBytes: number };
const defaultLimits: ListingLimits = { deadlineMs: 60_000, maxBytes: 16 * 1024 * 1024 };

/**
 * What the server offers right now, by a real MCP client: it probes for revision 2026-07-28 and falls back to the
 * 2025 handshake, and walks every page, within one deadline and one budget of bytes for all of it. Throws `Unavailable`
 * with a sentence for the admin when the server cannot be asked, or says what cannot be kept; a failed listing changes
 * nothing.
 */
export async function listTools(
  upstream: Upstream,
  limits: ListingLimits = defaultLimits,
): Promise<ListedTools> {
  const client = new Client(
    { name: 'countersign-catalogue', version: '1' },
    { versionNegotiation: { mode: 'auto', probe: { timeoutMs: 5_000 } }, listMaxPages: maxPages },
  );
  const signal = AbortSignal.timeout(limits.deadlineMs);
  const doorway = upstreamFetch({
    timeoutMs,
    headers: upstream.headers,
    networks: upstream.networks,
    together: { maxRequests: maxPages + 16, maxBytes: limits.maxBytes },
  });
  let refusal: Unavailable | null = null;
  const transport = new StreamableHTTPClientTransport(new URL(upstream.url), {
    fetch: (async (input: string | URL | Request, init: RequestInit = {}) => {
      try {
        return await doorway(input, {
          ...init,
          signal: init.signal ? AbortSignal.any([init.signal, signal]) : signal,
        });
      } catch (error) {
        if (error instanceof Unavailable) refusal ??= error;
        throw error;
      }
    }) as typeof fetch,
  });
  try {
    const { tools } = await Promise.race([walk(client, transport, signal), passed(signal)]);
    if (tools.length > maxTools) throw new Unavailable(`The server lists more than ${maxTools} tools.`);
    const names = new Set(tools.map((tool) => tool.name));
    // Two tools of one name could be reviewed as one and called as the other.
    if (names.size !== tools.length) throw new Unavailable('The server lists two tools of the same name.');
    const definitions = tools.map((tool) => ({
      name: tool.name,
      title: tool.title ?? tool.annotations?.title ?? null,
      description: tool.description ?? '',
      inputSchema: tool.inputSchema,
      outputSchema: tool.outputSchema ?? null,
      annotations: (tool.annotations as ToolAnnotations | undefined) ?? null,
    }));
    for (const definition of definitions) {
      const fault = findUnstorable(definition);
      if (fault) throw new Unavailable(`The server's tool “${toOneLine(definition.name, 80)}” ${fault}.`);
    }
    return {
      protocolRevision: toOneLine(client.getNegotiatedProtocolVersion() ?? 'unknown', 40),
      serverName: toOneLine(client.getServerVersion()?.name ?? '', 200),
      tools: definitions,
    };
  } catch (cause) {
    if (cause instanceof Unavailable && cause !== refusal) throw cause;
    if (signal.aborted) {
      throw new Unavailable(
        `The server did not list its tools within ${limits.deadlineMs / 1000} seconds.`,
        {},
        { cause },
      );
    }
    const said = refusal ?? cause;
    const words = said instanceof Error ? said.message : String(said);
    throw new Unavailable(`The server did not list its tools: ${toOneLine(words, 300)}`, {}, { cause });
  } finally {
    await client.close().catch(() => {});
  }
}

async function walk(client: Client, transport: StreamableHTTPClientTransport, signal: AbortSignal) {
  await client.connect(transport, { timeout: timeoutMs, signal });
  return client.listTools(undefined, { timeout: timeoutMs, signal });
}

/** Rejects when the deadline passes: not every wait of a client ends with its signal. */
function passed(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}
