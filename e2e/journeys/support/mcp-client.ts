import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  Client as ModernClient,
  StreamableHTTPClientTransport as ModernTransport,
} from '@modelcontextprotocol/client';
import { Client as LegacyClient } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as LegacyTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { Page } from '@playwright/test';

/** What a tool call came back with: its text, and whether the server or its guard called it an error. */
export type CallOutcome = { text: string; isError: boolean };

export type McpClient = {
  /** Resolves when connected; meanwhile `openBrowser` was called with the authorization URL. */
  connect(): Promise<void>;
  listTools(): Promise<string[]>;
  callTool(name: string, args: Record<string, unknown>): Promise<CallOutcome>;
  /** Headers of every request the loopback callback got. */
  callbackHeaders: IncomingHttpHeaders[];
  close(): Promise<void>;
};

/** Memory of one unmodified client, as the SDKs ask for it. */
class ScriptedProvider {
  readonly redirectUrl: string;
  readonly clientMetadata: Record<string, unknown>;
  readonly #openBrowser: (url: URL) => Promise<void>;
  #information: unknown;
  #tokens: unknown;
  #verifier = '';

  constructor(redirectUrl: string, clientName: string, openBrowser: (url: URL) => Promise<void>) {
    this.redirectUrl = redirectUrl;
    this.clientMetadata = { client_name: clientName, redirect_uris: [redirectUrl] };
    this.#openBrowser = openBrowser;
  }
  clientInformation = () => this.#information;
  saveClientInformation = (information: unknown) => {
    this.#information = information;
  };
  tokens = () => this.#tokens;
  saveTokens = (tokens: unknown) => {
    this.#tokens = tokens;
  };
  redirectToAuthorization = (url: URL) => this.#openBrowser(url);
  saveCodeVerifier = (verifier: string) => {
    this.#verifier = verifier;
  };
  codeVerifier = () => this.#verifier;
}

/**
 * An unmodified MCP client of either SDK generation. Its browser is the page given; its callback a listener on
 * loopback that remembers what it was sent, cookies above all.
 */
export async function startMcpClient(options: {
  sdk: '1.x' | '2.x';
  url: string;
  clientName: string;
  page: Page;
}): Promise<McpClient> {
  const callbackHeaders: IncomingHttpHeaders[] = [];
  let arrived: (url: URL) => void = () => {};
  const callback = new Promise<URL>((resolve) => {
    arrived = resolve;
  });
  const listener: Server = createServer((request, response) => {
    callbackHeaders.push(request.headers);
    response.end('You can close this window.');
    const url = new URL(request.url ?? '/', 'http://127.0.0.1');
    if (url.searchParams.has('code') || url.searchParams.has('error')) arrived(url);
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const redirectUrl = `http://127.0.0.1:${(listener.address() as AddressInfo).port}/callback`;
  const provider = new ScriptedProvider(redirectUrl, options.clientName, async (url) => {
    await options.page.goto(url.toString());
  });
  const { client, newTransport } =
    options.sdk === '1.x' ? legacy(options.url, provider) : modern(options.url, provider);

  return {
    callbackHeaders,
    async connect() {
      const first = newTransport();
      try {
        await client.connect(first.transport);
        return;
      } catch (error) {
        if (!(error instanceof Error) || error.constructor.name !== 'UnauthorizedError') throw error;
      }
      const answer = await callback;
      const error = answer.searchParams.get('error');
      if (error) throw new Error(`${error}: ${answer.searchParams.get('error_description')}`);
      await first.finish(answer);
      await client.connect(newTransport().transport);
    },
    async listTools() {
      const { tools } = await client.listTools();
      return tools.map((tool) => tool.name).sort();
    },
    async callTool(name, args) {
      const result = await client.callTool({ name, arguments: args });
      const text = result.content.map((part) => ('text' in part ? String(part.text) : '')).join('\n');
      return { text, isError: result.isError === true };
    },
    async close() {
      await client.close().catch(() => {});
      listener.closeAllConnections();
      await new Promise((resolve) => listener.close(resolve));
    },
  };
}

type Driven = {
  client: {
    connect(transport: never): Promise<void>;
    listTools(): Promise<{ tools: { name: string }[] }>;
    callTool(call: { name: string; arguments: Record<string, unknown> }): Promise<{
      content: object[];
      isError?: boolean;
    }>;
    close(): Promise<void>;
  };
  newTransport(): { transport: never; finish(answer: URL): Promise<void> };
};

function legacy(url: string, provider: ScriptedProvider): Driven {
  const client = new LegacyClient({ name: 'journey', version: '1' });
  return {
    client: client as unknown as Driven['client'],
    newTransport() {
      const transport = new LegacyTransport(new URL(url), { authProvider: provider as never });
      return {
        transport: transport as never,
        finish: (answer) => transport.finishAuth(answer.searchParams.get('code') ?? ''),
      };
    },
  };
}

function modern(url: string, provider: ScriptedProvider): Driven {
  const client = new ModernClient(
    { name: 'journey', version: '2' },
    { versionNegotiation: { mode: 'auto' } },
  );
  return {
    client: client as unknown as Driven['client'],
    newTransport() {
      const transport = new ModernTransport(new URL(url), { authProvider: provider as never });
      return { transport: transport as never, finish: (answer) => transport.finishAuth(answer.searchParams) };
    },
  };
}
