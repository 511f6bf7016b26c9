import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { Invalid, Unavailable } from '#lib/platform/errors.ts';
import { upstreamFetch } from '#lib/platform/upstream-fetch.ts';

/**
 * What an anonymous caller gets at a server's own address:
 * `answers` lists its tools, so whoever reaches the address needs no guard; `refuses` wants a credential; `unreachable`
 * gave no answer to us; `unknown` answered something that is neither.
 */
export type ProbeOutcome = 'answers' | 'refuses' | 'unreachable' | 'unknown';
export type Probe = { outcome: ProbeOutcome; detail: string };

const timeoutMs = 4_000;
const maxBodyBytes = 1024 * 1024;
/** Handshakes of both protocol revisions and one list take fewer; a server that makes us ask on is not asked on. */
const maxRequests = 8;

/**
 * Asks a server for its tools as a stranger would: a real MCP client of either protocol revision, no credential, no
 * cookie, one page. Bounded in time, bytes and number of requests; nothing is called. Answers, never throws.
 */
export async function askUpstream(url: string, networks: readonly string[] | undefined): Promise<Probe> {
  const seen: { statuses: number[]; refusal: string | null; requests: number } = {
    statuses: [],
    refusal: null,
    requests: 0,
  };
  const doorway = upstreamFetch({ timeoutMs, networks, maxBodyBytes });
  const client = new Client(
    { name: 'countersign-probe', version: '1' },
    { versionNegotiation: { mode: 'auto', probe: { timeoutMs: timeoutMs / 2 } } },
  );
  const transport = new StreamableHTTPClientTransport(new URL(url), {
    reconnectionOptions: {
      maxRetries: 0,
      initialReconnectionDelay: timeoutMs,
      maxReconnectionDelay: timeoutMs,
      reconnectionDelayGrowFactor: 1,
    },
    fetch: (async (input: string | URL | Request, init?: RequestInit) => {
      if (++seen.requests > maxRequests)
        throw new Unavailable('It asked for more requests than a look takes.');
      try {
        const response = await doorway(input, init);
        // The stream a client may open beside its requests says nothing about who may list tools.
        if (init?.method !== 'GET' && init?.method !== 'DELETE') seen.statuses.push(response.status);
        return response;
      } catch (error) {
        // Answered, though not in a form that is read: whoever takes it may well find its tools there.
        if (error instanceof Unavailable && typeof error.detail.status === 'number')
          seen.statuses.push(error.detail.status);
        seen.refusal ??= error instanceof Invalid || error instanceof Unavailable ? error.message : null;
        throw error;
      }
    }) as typeof fetch,
  });
  try {
    await client.connect(transport, { timeout: timeoutMs });
    const { tools } = await client.request({ method: 'tools/list', params: {} }, { timeout: timeoutMs });
    const count = tools.length === 1 ? 'one tool' : `${tools.length} tools`;
    return { outcome: 'answers', detail: `It listed ${count} to a caller without any credential.` };
  } catch {
    return judge(seen);
  } finally {
    await client.close().catch(() => {});
  }
}

function judge(seen: { statuses: readonly number[]; refusal: string | null }): Probe {
  const last = seen.statuses.at(-1);
  if (last === undefined) {
    return { outcome: 'unreachable', detail: seen.refusal ?? 'Nothing answered at its address from here.' };
  }
  if (last === 401 || last === 403) {
    return { outcome: 'refuses', detail: `It answered ${last} to a caller without a credential.` };
  }
  return {
    outcome: 'unknown',
    detail: `It answered ${last}, neither a list of tools nor a refusal.`,
  };
}
