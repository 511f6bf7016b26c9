import { createPrivateKey, type KeyObject, sign } from 'node:crypto';
import { exportJWK, generateKeyPair } from 'jose';
import { randomToken } from '#lib/platform/crypto.ts';
import { createApprovedAgent } from '#tests/credentials-world.ts';
import type { Target } from './closed-loop.ts';
import { compare } from './load.ts';
import type { BenchRow } from './row.ts';
import { sides } from './sides.ts';

const peerResource = 'https://mcp.example.com/mcp';
const form = { 'content-type': 'application/x-www-form-urlencoded' };

/**
 * Token issuance by client credentials with `private_key_jwt` on both sides: every request carries a fresh assertion
 * that is verified and spent. Ours stores the credential row and its event before it answers; the peer's JWT is
 * stored nowhere.
 */
export async function run(): Promise<BenchRow[]> {
  const { ours, startPeer } = await sides();
  const agent = await createApprovedAgent(ours.ctx, { authMethod: 'private_key_jwt' });
  if (!agent.privateKey) throw new TypeError('the agent has no key');
  const ourKey = createPrivateKey({ key: { ...(await exportJWK(agent.privateKey)) }, format: 'jwk' });

  const pair = await generateKeyPair('ES256', { extractable: true });
  const peerKey = createPrivateKey({ key: { ...(await exportJWK(pair.privateKey)) }, format: 'jwk' });
  const peer = await startPeer({
    tokenFormat: 'jwt',
    clients: [
      {
        client_id: 'bench',
        grant_types: ['client_credentials'],
        redirect_uris: [],
        response_types: [],
        token_endpoint_auth_method: 'private_key_jwt',
        token_endpoint_auth_signing_alg: 'ES256',
        jwks: { keys: [{ ...(await exportJWK(pair.publicKey)), alg: 'ES256', use: 'sig' }] },
      },
    ],
  });
  const ourAssertions = new Assertions(agent.clientId, ours.ctx.site.issuer, ourKey);
  const peerAssertions = new Assertions('bench', peer.url, peerKey);
  const target = (
    url: string,
    path: string,
    headers: Record<string, string>,
    resource: string,
    assertions: Assertions,
  ): Target => ({
    url,
    next: () => ({
      method: 'POST',
      path,
      headers: { ...form, ...headers },
      body: `grant_type=client_credentials&client_id=${assertions.clientId}&resource=${encodeURIComponent(resource)}&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion=${assertions.next()}`,
    }),
  });
  try {
    return await compare({
      row: 'issue',
      ours: target(ours.url, '/token', { host: ours.host }, agent.resource, ourAssertions),
      peer: target(peer.url, '/token', {}, peerResource, peerAssertions),
      goalRatio: 1.5,
      peerName: 'oidc-provider',
      conditions:
        'client_credentials with private_key_jwt (ES256) on both sides; ours stores credential and event durably, the peer no token',
      async prepare(_inFlight, seconds) {
        ourAssertions.stock(9_000 * seconds);
        peerAssertions.stock(5_000 * seconds);
      },
    });
  } finally {
    await peer.close();
  }
}

/** Client assertions signed beforehand, so that the load generator does not compete for the processor. */
class Assertions {
  readonly clientId: string;
  readonly #issuer: string;
  readonly #key: KeyObject;
  #ready: string[] = [];

  constructor(clientId: string, issuer: string, key: KeyObject) {
    this.clientId = clientId;
    this.#issuer = issuer;
    this.#key = key;
  }

  stock(count: number): void {
    this.#ready = Array.from({ length: count }, () => this.#sign());
  }

  next(): string {
    return this.#ready.pop() ?? this.#sign();
  }

  #sign(): string {
    const now = Math.floor(Date.now() / 1000);
    const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const signed = `${encode({ alg: 'ES256' })}.${encode({
      iss: this.clientId,
      sub: this.clientId,
      aud: this.#issuer,
      jti: randomToken(16),
      iat: now,
      exp: now + 280,
    })}`;
    const signature = sign('sha256', Buffer.from(signed), { key: this.#key, dsaEncoding: 'ieee-p1363' });
    return `${signed}.${signature.toString('base64url')}`;
  }
}
