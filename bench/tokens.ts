import pg from 'pg';
import { signAccessToken } from '#lib/credentials/access-token.ts';
import { activeSigningKey } from '#lib/credentials/signing-keys.ts';
import { addSeconds } from '#lib/platform/clock.ts';
import { randomToken } from '#lib/platform/crypto.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { newId } from '#lib/platform/ids.ts';
import type { ApprovedAgent } from '#tests/credentials-world.ts';
import type { Peer } from './sides.ts';

export const peerClient = {
  client_id: 'bench',
  client_secret: 'bench-secret-that-is-long-enough',
  grant_types: ['client_credentials'],
  redirect_uris: [],
  response_types: [],
  token_endpoint_auth_method: 'client_secret_basic',
};
export const form = { 'content-type': 'application/x-www-form-urlencoded' };

export function basic(clientId: string, secret: string): string {
  return `Basic ${Buffer.from(`${encodeURIComponent(clientId)}:${encodeURIComponent(secret)}`).toString('base64')}`;
}

/** Live tokens of an agent, signed and stored as the minter does, without waiting for a request each. */
export async function makeOurTokens(ctx: Ctx, agent: ApprovedAgent, count: number): Promise<string[]> {
  const key = await activeSigningKey(ctx, 'token');
  const now = new Date();
  const made = Array.from({ length: count }, () => {
    const id = newId('credential');
    const token = signAccessToken(key, {
      jti: id,
      issuer: ctx.site.issuer,
      subject: agent.clientId,
      audience: agent.resource,
      clientId: agent.clientId,
      issuedAt: now,
      endsAt: addSeconds(now, 600),
      lifetimeSeconds: 300,
      agentId: agent.agentId,
      epoch: 1,
      bindingId: agent.bindingId,
      bindingVersion: 1,
      family: agent.instanceId,
      sourceId: 'src_intake',
      clientClass: 'headless service',
      tools: agent.tools,
    });
    return { id, token: token.token, token_digest: token.digest, expires_at: token.expiresAt };
  });
  for (let start = 0; start < made.length; start += 1000) {
    await ctx.db.hot.query(
      `INSERT INTO credential (id, kind, agent_id, instance_id, client_id, server_id, binding_id, binding_version, epoch,
         grant_kind, token_digest, audience, tools, kid, issued_at, expires_at)
       SELECT i.id, 'access token', $2, $3, $4, $5, $6, 1, 1, 'client_credentials', i.token_digest, $7, $8, $9, $10, i.expires_at
         FROM jsonb_to_recordset($1::jsonb) AS i(id text, token_digest text, expires_at timestamptz)`,
      [
        JSON.stringify(made.slice(start, start + 1000)),
        agent.agentId,
        agent.instanceId,
        agent.clientId,
        agent.serverId,
        agent.bindingId,
        agent.resource,
        agent.tools,
        key.kid,
        now,
      ],
    );
  }
  return made.map((each) => each.token);
}

/** Live opaque tokens of the peer: one it issued itself, copied under new values into its table. */
export async function makePeerTokens(peer: Peer, count: number): Promise<string[]> {
  const answer = await fetch(`${peer.url}/token`, {
    method: 'POST',
    headers: { ...form, authorization: basic(peerClient.client_id, peerClient.client_secret) },
    body: `grant_type=client_credentials&resource=${encodeURIComponent('https://mcp.example.com/mcp')}`,
  });
  const { access_token: issued } = (await answer.json()) as { access_token: string };
  const pool = new pg.Client({ connectionString: peer.databaseUrl });
  await pool.connect();
  try {
    const values = Array.from({ length: count }, () => randomToken());
    for (let start = 0; start < values.length; start += 1000) {
      const { rowCount } = await pool.query(
        `INSERT INTO oidc (model, id, payload, grant_id, expires_at)
         SELECT o.model, v.id, jsonb_set(o.payload, '{jti}', to_jsonb(v.id)), o.grant_id, o.expires_at
           FROM oidc o, unnest($2::text[]) AS v(id) WHERE o.id = $1 AND o.model = 'ClientCredentials'`,
        [issued, values.slice(start, start + 1000)],
      );
      if (!rowCount) throw new Error('the peer did not store the token it issued');
    }
    return values;
  } finally {
    await pool.end();
  }
}
