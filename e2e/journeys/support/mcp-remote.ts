import { mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';

const program = path.join(
  path.dirname(createRequire(import.meta.url).resolve('mcp-remote/package.json')),
  'dist/proxy.js',
);

/** One person's `mcp-remote`, with what it remembers between its starts. */
export class McpRemote {
  readonly #folder: string;
  readonly #url: string;
  readonly #clientName: string;
  readonly #running: Client[] = [];

  private constructor(folder: string, url: string, clientName: string) {
    this.#folder = folder;
    this.#url = url;
    this.#clientName = clientName;
  }

  static async install(url: string, clientName: string): Promise<McpRemote> {
    return new McpRemote(await mkdtemp(path.join(os.tmpdir(), 'mcp-remote-')), url, clientName);
  }

  /**
   * Starts it as an editor does, over stdio. `signInUrl` answers the last address it would have opened in the browser,
   * or null; `userCode` the code it shows when started as on a machine without a browser; `connected` resolves with a
   * client of what it bridges to, or rejects with what it said when it ended.
   */
  start(options: { deviceCode?: boolean } = {}): {
    signInUrl(): URL | null;
    userCode(): { code: string; page: string } | null;
    connected: Promise<Client>;
  } {
    const transport = new StdioClientTransport({
      command: process.execPath,
      args: [
        program,
        this.#url,
        '--auth-timeout',
        '120',
        '--static-oauth-client-metadata',
        JSON.stringify({ client_name: this.#clientName }),
        ...(options.deviceCode ? ['--device-code'] : []),
      ],
      // Nowhere to find a browser: the journey's person opens the address.
      env: { HOME: this.#folder, MCP_REMOTE_CONFIG_DIR: this.#folder, PATH: this.#folder },
      stderr: 'pipe',
    });
    const client = new Client({ name: 'editor', version: '1' });
    this.#running.push(client);
    let said = '';
    transport.stderr?.on('data', (chunk: Buffer) => {
      said += chunk.toString('utf8');
    });
    const connected = client.connect(transport, { timeout: 120_000 }).then(
      () => client,
      (cause: unknown) => {
        throw new Error(`mcp-remote did not connect:\n${said}`, { cause });
      },
    );
    connected.catch(() => {});
    const signInUrl = () => {
      const url = said.match(/https?:\/\/\S+\/authorize\?\S+(?=\s)/g)?.at(-1);
      return url ? new URL(url) : null;
    };
    const userCode = () => {
      const [, page, code] = said.match(/visit:.*?(http\S+).*?enter the code: (\S+)/s) ?? [];
      return page && code ? { page, code } : null;
    };
    return { signInUrl, userCode, connected };
  }

  async uninstall(): Promise<void> {
    await Promise.all(this.#running.map((client) => client.close().catch(() => {})));
    await rm(this.#folder, { recursive: true, force: true });
  }
}
