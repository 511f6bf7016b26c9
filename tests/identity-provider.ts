import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose';
import Provider from 'oidc-provider';

export type Colleague = {
  name?: string;
  email?: string;
  email_verified?: boolean;
  groups?: readonly string[];
};

export type TestIdentityProvider = {
  issuer: string;
  clientId: string;
  clientSecret: string;
  /** Who works there, by the login they type; may be changed while it runs. */
  colleagues: Map<string, Colleague>;
  /** An ID token as it would issue it, by its published key unless `key` is given. Claims given as undefined are left out. */
  idToken(claims: JWTPayload, options?: { alg?: string; key?: CryptoKey | Uint8Array }): Promise<string>;
  close(): Promise<void>;
};

/**
 * A real OpenID Provider on loopback, oidc-provider with its own login pages, for the product to be a client of.
 * `redirectUri` is the product's callback.
 */
export async function startIdentityProvider(redirectUri: string): Promise<TestIdentityProvider> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const clientId = 'countersign';
  const clientSecret = randomUUID();
  const colleagues = new Map<string, Colleague>();
  const { privateKey } = await generateKeyPair('RS256', { extractable: true });
  const provider = new Provider(issuer, {
    jwks: { keys: [{ ...(await exportJWK(privateKey)), kid: 'one', alg: 'RS256', use: 'sig' }] },
    clients: [
      {
        client_id: clientId,
        client_secret: clientSecret,
        redirect_uris: [redirectUri],
        grant_types: ['authorization_code'],
        response_types: ['code'],
      },
    ],
    cookies: { keys: [randomUUID()] },
    pkce: { required: () => true },
    // Puts what the scopes mean into the ID token, as providers in companies do.
    conformIdTokenClaims: false,
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'], groups: ['groups'] },
    scopes: ['openid', 'email', 'profile', 'groups'],
    findAccount: (_ctx: unknown, login: string) => {
      const found = colleagues.get(login);
      return found && { accountId: login, claims: () => ({ sub: login, ...found }) };
    },
  });
  server.on('request', provider.callback());
  const nowSeconds = () => Math.floor(Date.now() / 1000);
  return {
    issuer,
    clientId,
    clientSecret,
    colleagues,
    idToken(claims, { alg = 'RS256', key = privateKey } = {}) {
      const at = nowSeconds();
      const standard = { iss: issuer, aud: clientId, iat: at, exp: at + 600, nonce: randomUUID() };
      const given = Object.entries({ ...standard, ...claims }).filter(([, value]) => value !== undefined);
      return new SignJWT(Object.fromEntries(given)).setProtectedHeader({ alg, kid: 'one' }).sign(key);
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
