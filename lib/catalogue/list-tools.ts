import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { Unavailable } from '#lib/platform/errors.ts';
import { upstreamFetch } from '#lib/platform/upstream-fetch.ts';
import type { ToolAnnotations, ToolDefinition } from './definition.ts';

export type Upstream = {
  url: string;
  headers: Readonly<Record<string, string>>;
  /** Private networks it may be in; absent: any. */
  networks?: readonly string[] | undefined;
};

export type ListedTools = { protocolRevision: string; serverName: string; tools: ToolDefinition[] };

const maxTools = 2_000;
const timeoutMs = 20_000;

/**
 * What the server offers right now, by a real MCP client: it probes for revision 2026-07-28 and falls back to the
 * 2025 handshake, and walks every page. Throws `Unavailable` with a sentence for the admin when the server cannot be
 * asked; a failed listing changes nothing.
 */
export async function listTools(upstream: Upstream): Promise<ListedTools> {
  const client = new Client(
    { name: 'countersign-catalogue', version: '1' },
    { versionNegotiation: { mode: 'auto', probe: { timeoutMs: 5_000 } }, listMaxPages: 256 },
  );
  const transport = new StreamableHTTPClientTransport(new URL(upstream.url), {
    fetch: upstreamFetch({ timeoutMs, headers: upstream.headers, networks: upstream.networks }),
  });
  try {
    await client.connect(transport, { timeout: timeoutMs });
    const { tools } = await client.listTools(undefined, { timeout: timeoutMs });
    if (tools.length > maxTools) throw new Unavailable(`The server lists more than ${maxTools} tools.`);
    const names = new Set(tools.map((tool) => tool.name));
    // Two tools of one name could be reviewed as one and called as the other.
    if (names.size !== tools.length) throw new Unavailable('The server lists two tools of the same name.');
    return {
      protocolRevision: client.getNegotiatedProtocolVersion() ?? 'unknown',
      serverName: client.getServerVersion()?.name ?? '',
      tools: tools.map((tool) => ({
        name: tool.name,
        title: tool.title ?? tool.annotations?.title ?? null,
        description: tool.description ?? '',
        inputSchema: tool.inputSchema,
        outputSchema: tool.outputSchema ?? null,
        annotations: (tool.annotations as ToolAnnotations | undefined) ?? null,
      })),
    };
  } catch (cause) {
    if (cause instanceof Unavailable) throw cause;
    const said = cause instanceof Error ? cause.message : String(cause);
    throw new Unavailable(`The server did not list its tools: ${said.slice(0, 300)}`, {}, { cause });
  } finally {
    await client.close().catch(() => {});
  }
}
