/**
 * An agent without a model: connects to a guarded MCP server like any unmodified
 * client, then does what its arguments say.
 *
 *   node examples/agent.ts <server url>                      connect, list tools
 *   node examples/agent.ts <server url> read_note name=plan  and call one
 *
 * Interactive: it registers itself, prints a URL to open, and waits while the
 * request is claimed and approved. Headless: with `AGENT_CLIENT_ID` and
 * `AGENT_KEY` (file with the private JWK) it signs in by private_key_jwt.
 * Nothing is kept: the next run registers anew.
 */
import { readFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  Client,
  type OAuthClientProvider,
  PrivateKeyJwtProvider,
  StreamableHTTPClientTransport,
  UnauthorizedError,
} from '@modelcontextprotocol/client';

const [serverUrl, tool, ...pairs] = process.argv.slice(2);
if (!serverUrl) {
  console.error('usage: node examples/agent.ts <server url> [tool [name=value …]]');
  process.exit(2);
}

const { AGENT_CLIENT_ID, AGENT_KEY } = process.env;
const client =
  AGENT_CLIENT_ID && AGENT_KEY ? await connectWithKey(AGENT_CLIENT_ID, AGENT_KEY) : await connectByBrowser();

const { tools } = await client.listTools();
console.log(tools.length === 0 ? 'No tools are approved.' : 'Approved tools:');
for (const { name, description } of tools) console.log(`  ${name}  ${description ?? ''}`);
if (tool) {
  const result = await client.callTool({ name: tool, arguments: argumentsOf(pairs) });
  console.log(result.isError ? `\n${tool} was refused or failed:` : `\n${tool} answered:`);
  for (const part of result.content) console.log(part.type === 'text' ? part.text : `(${part.type})`);
  if (result.isError) process.exitCode = 1;
}
await client.close();

async function connectWithKey(clientId: string, keyFile: string): Promise<Client> {
  const privateKey: Record<string, unknown> = JSON.parse(readFileSync(keyFile, 'utf8'));
  const algorithm = privateKey.kty === 'EC' ? 'ES256' : 'EdDSA';
  return connect(new PrivateKeyJwtProvider({ clientId, privateKey, algorithm, clientName: 'Example agent' }));
}

/** Opens a listener for the answer first: its port is part of what is registered. */
async function connectByBrowser(): Promise<Client> {
  const state = crypto.randomUUID();
  let settle: { resolve(answer: URLSearchParams): void; reject(cause: Error): void } | null = null;
  const answered = new Promise<URLSearchParams>((resolve, reject) => {
    settle = { resolve, reject };
  });
  answered.catch(() => {});
  const listener = http.createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://127.0.0.1');
    if (url.pathname !== '/callback' || url.searchParams.get('state') !== state) {
      response.writeHead(404).end();
      return;
    }
    response.end('You can close this page and go back to the agent.\n');
    const error = url.searchParams.get('error');
    if (error) settle?.reject(new Error(`${error}: ${url.searchParams.get('error_description') ?? ''}`));
    else settle?.resolve(url.searchParams);
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const redirectUrl = `http://127.0.0.1:${(listener.address() as AddressInfo).port}/callback`;
  try {
    return await connect(inMemoryProvider(redirectUrl, state), answered);
  } finally {
    listener.close();
    listener.closeAllConnections();
  }
}

async function connect(
  authProvider: OAuthClientProvider,
  answered?: Promise<URLSearchParams>,
): Promise<Client> {
  const newClient = () =>
    new Client({ name: 'example-agent', version: '1.0.0' }, { versionNegotiation: { mode: 'auto' } });
  const url = new URL(serverUrl ?? '');
  const transport = new StreamableHTTPClientTransport(url, { authProvider });
  const first = newClient();
  try {
    await first.connect(transport);
    return first;
  } catch (cause) {
    if (!(cause instanceof UnauthorizedError) || !answered) throw cause;
  }
  await transport.finishAuth(await answered);
  const second = newClient();
  await second.connect(new StreamableHTTPClientTransport(url, { authProvider }));
  return second;
}

function inMemoryProvider(redirectUrl: string, state: string): OAuthClientProvider {
  const kept: {
    client?: Parameters<NonNullable<OAuthClientProvider['saveClientInformation']>>[0];
    tokens?: Parameters<OAuthClientProvider['saveTokens']>[0];
    verifier?: string;
  } = {};
  return {
    redirectUrl,
    clientMetadata: {
      client_name: 'Example agent',
      redirect_uris: [redirectUrl],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
    },
    state: () => state,
    clientInformation: () => kept.client,
    saveClientInformation: (information) => {
      kept.client = information;
    },
    tokens: () => kept.tokens,
    saveTokens: (tokens) => {
      kept.tokens = tokens;
    },
    redirectToAuthorization: (url) => {
      console.log(`Open this page, claim the agent and wait for its approval:\n\n  ${url}\n`);
    },
    saveCodeVerifier: (verifier) => {
      kept.verifier = verifier;
    },
    codeVerifier: () => kept.verifier ?? '',
  };
}

function argumentsOf(given: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(
    given.map((pair) => {
      const at = pair.indexOf('=');
      return at < 0 ? [pair, true] : [pair.slice(0, at), pair.slice(at + 1)];
    }),
  );
}
