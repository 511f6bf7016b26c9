import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import * as oauth from 'oauth4webapi';
import type { CallOutcome } from './mcp-client.ts';

// Loopback has no TLS; the library wants to be told.
const insecure = { [oauth.allowInsecureRequests]: true };

/** An agent without a browser: it proves itself with its own key (RFC 7523 §2.2) and carries its token to the server. */
export async function startHeadlessAgent(options: {
  issuer: string;
  clientId: string;
  privateJwk: JsonWebKey;
}) {
  const issuer = new URL(options.issuer);
  const found = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...insecure });
  const server = await oauth.processDiscoveryResponse(issuer, found);
  const { alg: _, use: __, key_ops: ___, ...jwk } = options.privateJwk;
  const algorithm = jwk.kty === 'OKP' ? { name: 'Ed25519' } : { name: 'ECDSA', namedCurve: 'P-256' };
  const key = await crypto.subtle.importKey('jwk', jwk, algorithm, false, ['sign']);
  const kid = (options.privateJwk as { kid?: string }).kid;
  const client: oauth.Client = { client_id: options.clientId };

  return {
    /** Throws the library's `ResponseBodyError` when the server says no. */
    async fetchToken(resource: string): Promise<string> {
      const response = await oauth.clientCredentialsGrantRequest(
        server,
        client,
        oauth.PrivateKeyJwt(kid ? { key, kid } : key),
        new URLSearchParams({ resource }),
        insecure,
      );
      const { access_token } = await oauth.processClientCredentialsResponse(server, client, response);
      return access_token;
    },
    async connect(resource: string, token: string) {
      const mcp = new Client({ name: 'headless journey', version: '1' });
      const headers = { authorization: `Bearer ${token}` };
      await mcp.connect(new StreamableHTTPClientTransport(new URL(resource), { requestInit: { headers } }));
      return {
        async callTool(name: string, args: Record<string, unknown>): Promise<CallOutcome> {
          const result = await mcp.callTool({ name, arguments: args });
          const parts = result.content as { text?: string }[];
          return { text: parts.map((part) => part.text ?? '').join('\n'), isError: result.isError === true };
        },
        close: () => mcp.close(),
      };
    },
  };
}
