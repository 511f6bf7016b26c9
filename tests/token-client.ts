import { SignJWT } from 'jose';
import { randomToken } from '#lib/platform/crypto.ts';
import type { ApprovedAgent } from './credentials-world.ts';
import type { Answer, TestGate } from './gate.ts';

export type Form = Record<string, string>;

/** What a client says at the protocol endpoints, one request at a time: for the cases a correct client never sends. */
export function tokenClient(gate: TestGate) {
  const post = (path: string, form: Form | string, headers: Record<string, string> = {}): Promise<Answer> =>
    gate.ask(path, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
      body: typeof form === 'string' ? form : new URLSearchParams(form).toString(),
    });

  /** A client assertion, correct unless told otherwise. */
  const assertion = (
    agent: ApprovedAgent,
    claims: Record<string, unknown> = {},
    header: { alg: string } & Record<string, unknown> = { alg: 'ES256' },
  ): Promise<string> => {
    const now = Math.floor(gate.running.gate.clock.now().getTime() / 1000);
    if (!agent.privateKey) throw new TypeError('the agent has no key');
    return new SignJWT({
      iss: agent.clientId,
      sub: agent.clientId,
      aud: gate.issuer,
      jti: randomToken(12),
      iat: now,
      exp: now + 60,
      ...claims,
    })
      .setProtectedHeader(header)
      .sign(agent.privateKey);
  };

  return {
    post,
    assertion,
    redeem: (agent: ApprovedAgent, code: { code: string; verifier: string }, form: Form = {}) =>
      post('/token', {
        grant_type: 'authorization_code',
        client_id: agent.clientId,
        code: code.code,
        code_verifier: code.verifier,
        redirect_uri: agent.redirectUri,
        resource: agent.resource,
        ...form,
      }),
    refresh: (agent: ApprovedAgent, token: string, form: Form = {}, headers: Record<string, string> = {}) =>
      post(
        '/token',
        { grant_type: 'refresh_token', client_id: agent.clientId, refresh_token: token, ...form },
        headers,
      ),
    async credentials(agent: ApprovedAgent, form: Form = {}, claims: Record<string, unknown> = {}) {
      return post('/token', {
        grant_type: 'client_credentials',
        client_id: agent.clientId,
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
        client_assertion: await assertion(agent, claims),
        ...form,
      });
    },
    revoke: (agent: ApprovedAgent, token: string) => post('/revoke', { client_id: agent.clientId, token }),
    introspect: (resourceToken: string, token: string) =>
      post('/introspect', { token }, { authorization: `Bearer ${resourceToken}` }),
  };
}

export type TokenClient = ReturnType<typeof tokenClient>;

export type TokenBody = {
  access_token: string;
  refresh_token: string;
  expires_in: number;
  scope: string;
  error?: string;
  error_description?: string;
  error_uri?: string;
};

export const bodyOf = (answer: Answer): TokenBody => answer.json() as unknown as TokenBody;

/** Claims of a token, unverified. */
export function claimsOf(token: string): Record<string, unknown> & { cs: Record<string, unknown> } {
  return JSON.parse(Buffer.from(token.split('.')[1] as string, 'base64url').toString('utf8'));
}
