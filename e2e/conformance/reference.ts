import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair } from 'jose';
import Provider from 'oidc-provider';

export type Reference = { issuer: string; close(): Promise<void> };

/**
 * oidc-provider, configured as much like Countersign as it can be, in memory: what it answers is the second opinion
 * on what a specification says.
 */
export async function startReference(clients: object[]): Promise<Reference> {
  const server: Server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const { privateKey } = await generateKeyPair('ES256', { extractable: true });
  const provider = new Provider(issuer, {
    jwks: { keys: [{ ...(await exportJWK(privateKey)), kid: 'reference', alg: 'ES256', use: 'sig' }] },
    clients,
    clientDefaults: { id_token_signed_response_alg: 'ES256' },
    cookies: { keys: ['no cookie is ever set'] },
    scopes: ['openid', 'offline_access', 'mcp'],
    clientAuthMethods: ['none', 'client_secret_basic', 'client_secret_post', 'private_key_jwt'],
    pkce: { required: () => true },
    routes: {
      authorization: '/authorize',
      token: '/token',
      registration: '/register',
      revocation: '/revoke',
      introspection: '/introspect',
      jwks: '/jwks',
    },
    features: {
      devInteractions: { enabled: false },
      registration: { enabled: true },
      introspection: { enabled: true },
      revocation: { enabled: true },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_ctx: unknown, resource: string) => {
          if (!resource.startsWith('http://127.0.0.1:47')) {
            throw Object.assign(new Error('invalid_target'), {
              error: 'invalid_target',
              error_description: 'unknown resource',
              status: 400,
              statusCode: 400,
              expose: true,
            });
          }
          return {
            scope: 'mcp',
            audience: resource,
            accessTokenTTL: 300,
            accessTokenFormat: 'jwt',
            jwt: { sign: { alg: 'ES256' } },
          };
        },
      },
    },
  });
  server.on('request', provider.callback());
  return {
    issuer,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
