/** How a known client comes back after its sign-in, for people who ask what its redirect URIs mean. */
export type RedirectPreset = {
  client: string;
  redirectUris: readonly string[];
  /** Where the code lands and who else could be there. */
  explanation: string;
  /** Its published metadata document, where it has one: then it needs no registration (MCP authorization, client ID metadata documents). */
  metadataUrl: string | null;
};

/** In the order of their spread. A loopback port never takes part in matching (RFC 8252 §7.3). */
export const redirectPresets: readonly RedirectPreset[] = [
  {
    client: 'Claude Code',
    redirectUris: ['http://localhost/callback'],
    explanation:
      'A listener on the person’s own computer, on a port it picks anew each time. Any program on that computer could listen too.',
    metadataUrl: 'https://claude.ai/oauth/claude-code-client-metadata',
  },
  {
    client: 'Cursor, desktop and web',
    redirectUris: [
      'http://localhost:8787/callback',
      'https://www.cursor.com/agents/mcp/oauth/callback',
      'cursor://anysphere.cursor-mcp/oauth/callback',
    ],
    explanation:
      'The desktop listens on this computer, the web has a page of its own, and older builds use a scheme of their own, which any app can claim. It registers all of them at once.',
    metadataUrl: null,
  },
  {
    client: 'VS Code',
    redirectUris: [
      'http://127.0.0.1:33418/',
      'http://127.0.0.1/',
      'https://vscode.dev/redirect',
      'https://insiders.vscode.dev/redirect',
    ],
    explanation:
      'A listener on this computer, on another port when 33418 is taken, or a page of vscode.dev that hands the code to the editor.',
    metadataUrl: 'https://vscode.dev/oauth/client-metadata.json',
  },
  {
    client: 'claude.ai',
    redirectUris: ['https://claude.ai/api/mcp/auth_callback', 'https://claude.com/api/mcp/auth_callback'],
    explanation: 'Pages of the vendor: the tokens live in its cloud, and calls come from its network.',
    metadataUrl: 'https://claude.ai/oauth/mcp-oauth-client-metadata',
  },
  {
    client: 'ChatGPT',
    redirectUris: ['https://chatgpt.com/connector_platform_oauth_redirect'],
    explanation:
      'A page of the vendor, for some connectors one each below /connector/oauth/. The tokens live in its cloud.',
    metadataUrl: 'https://chatgpt.com/oauth/client.json',
  },
  {
    client: 'Gemini CLI',
    redirectUris: ['http://localhost:7777/oauth/callback'],
    explanation: 'A listener on this computer for five minutes. It registers itself when it connects.',
    metadataUrl: null,
  },
  {
    client: 'mcp-remote',
    redirectUris: ['http://localhost/oauth/callback'],
    explanation:
      'A bridge for clients that only start local programs: it listens on this computer, on a port derived from the server’s URL.',
    metadataUrl: null,
  },
];

/** The known client that comes back at one of these; what a client says of itself proves nothing, so no trust follows. */
export function findPreset(redirectUris: readonly string[]): RedirectPreset | null {
  const wanted = new Set(redirectUris.map(portless));
  return (
    redirectPresets.find((preset) => preset.redirectUris.some((uri) => wanted.has(portless(uri)))) ?? null
  );
}

function portless(uri: string): string {
  return uri.replace(/^(http:\/\/(?:127\.0\.0\.1|\[::1\]|localhost)):[0-9]{1,5}(?=\/|$)/, '$1');
}

export type RegistrationWay = 'metadata document' | 'key' | 'carried' | 'registers itself' | 'exists';

/** Which way this client will come in, and why, in the order MCP clients try them. */
export function describeWay(way: RegistrationWay): { title: string; why: string } {
  switch (way) {
    case 'exists':
      return {
        title: 'Pre-registered',
        why: 'This client has an id here already, and clients use one they have before they try any other way.',
      };
    case 'key':
      return {
        title: 'Pre-registered, with its key',
        why: 'You file it here with its public key. It works without a browser, so nothing could register it on the way.',
      };
    case 'carried':
      return {
        title: 'Pre-registered, without a credential of its own',
        why: 'It can neither sign in nor sign. You reveal a token of a few minutes and carry it there.',
      };
    case 'metadata document':
      return {
        title: 'Client ID metadata document',
        why: 'Its id is the URL of a document its host publishes. What that document says now is what is reviewed; the host is proved, the name in it is not.',
      };
    case 'registers itself':
      return {
        title: 'Dynamic registration, in your browser',
        why: 'It has no id here and no published document, so it registers itself when it first connects. Connect it: this form opens with its client filled in.',
      };
  }
}
