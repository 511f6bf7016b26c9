export type Snippet = { value: string; label: string; caption: string; code: string };

type Facts = { serverName: string; resource: string; token: string };

/**
 * Ready to paste, with the token in place. Names come from the catalogue and may hold anything: they reach a command
 * line only as letters, digits and dashes, and everything else there stands in single quotes.
 */
export function snippetsFor({ serverName, resource, token }: Facts): Snippet[] {
  const name = toShellName(serverName);
  const bearer = `Bearer ${token}`;
  const json = (value: unknown) => JSON.stringify(value, null, 2);
  return [
    {
      value: 'claude-code',
      label: 'Claude Code',
      caption: 'Terminal',
      code: `claude mcp add --transport http ${name} ${quote(resource)} --header ${quote(`Authorization: ${bearer}`)}`,
    },
    {
      value: 'cursor',
      label: 'Cursor',
      caption: '~/.cursor/mcp.json',
      code: json({ mcpServers: { [name]: { url: resource, headers: { Authorization: bearer } } } }),
    },
    {
      value: 'vs-code',
      label: 'VS Code',
      caption: '.vscode/mcp.json',
      code: json({
        servers: { [name]: { type: 'http', url: resource, headers: { Authorization: bearer } } },
      }),
    },
    {
      value: 'curl',
      label: 'curl',
      caption: 'Terminal',
      code: [
        `curl ${quote(resource)}`,
        `-H ${quote(`Authorization: ${bearer}`)}`,
        `-H 'Content-Type: application/json'`,
        `-H 'Accept: application/json, text/event-stream'`,
        `-d ${quote(
          JSON.stringify({
            jsonrpc: '2.0',
            id: 1,
            method: 'initialize',
            params: {
              protocolVersion: '2025-06-18',
              capabilities: {},
              clientInfo: { name: 'curl', version: '1' },
            },
          }),
        )}`,
      ].join(' \\\n  '),
    },
    {
      value: 'typescript',
      label: 'TypeScript',
      caption: '@modelcontextprotocol/sdk',
      code: `import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';

const client = new Client({ name: ${JSON.stringify(name)}, version: '1' });
await client.connect(
  new StreamableHTTPClientTransport(new URL(${JSON.stringify(resource)}), {
    requestInit: { headers: { Authorization: ${JSON.stringify(bearer)} } },
  }),
);
console.log(await client.listTools());`,
    },
  ];
}

function toShellName(name: string): string {
  const plain = name
    .normalize('NFKD')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 40);
  return plain || 'mcp-server';
}

/** One word for a POSIX shell, whatever it holds. */
function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
