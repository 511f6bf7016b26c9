import { createServer } from 'node:http';
import { exportJWK, generateKeyPair } from 'jose';
import Provider from 'oidc-provider';
import pg from 'pg';

/**
 * The peer: a real oidc-provider with a PostgreSQL adapter (one table, upserts, prepared statements) in a process of
 * its own. Started by `bench/sides.ts` with PEER_DATABASE_URL; says `{ port }` to its parent when it listens.
 */
const resource = 'https://mcp.example.com/mcp';
const pool = new pg.Pool({ connectionString: process.env.PEER_DATABASE_URL, max: 20 });

await pool.query(`CREATE TABLE IF NOT EXISTS oidc (
  model text NOT NULL, id text NOT NULL, payload jsonb NOT NULL, grant_id text, expires_at timestamptz,
  consumed_at timestamptz, PRIMARY KEY (model, id))`);
await pool.query('CREATE INDEX IF NOT EXISTS oidc_grant ON oidc (grant_id) WHERE grant_id IS NOT NULL');

class PostgresAdapter {
  readonly model: string;
  constructor(model: string) {
    this.model = model;
  }

  async upsert(id: string, payload: Record<string, unknown>, expiresIn?: number): Promise<void> {
    await pool.query({
      name: 'upsert',
      text: `INSERT INTO oidc (model, id, payload, grant_id, expires_at) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (model, id) DO UPDATE SET payload = $3, grant_id = $4, expires_at = $5`,
      values: [
        this.model,
        id,
        JSON.stringify(payload),
        payload.grantId ?? null,
        expiresIn ? new Date(Date.now() + expiresIn * 1000) : null,
      ],
    });
  }

  async find(id: string): Promise<Record<string, unknown> | undefined> {
    const { rows } = await pool.query({
      name: 'find',
      text: 'SELECT payload, expires_at, consumed_at FROM oidc WHERE model = $1 AND id = $2',
      values: [this.model, id],
    });
    const [row] = rows;
    if (!row || (row.expires_at && row.expires_at < new Date())) return undefined;
    return { ...row.payload, ...(row.consumed_at ? { consumed: true } : {}) };
  }

  findByUserCode(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  findByUid(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  async consume(id: string): Promise<void> {
    await pool.query({
      name: 'consume',
      text: 'UPDATE oidc SET consumed_at = now() WHERE model = $1 AND id = $2',
      values: [this.model, id],
    });
  }

  async destroy(id: string): Promise<void> {
    await pool.query({
      name: 'destroy',
      text: 'DELETE FROM oidc WHERE model = $1 AND id = $2',
      values: [this.model, id],
    });
  }

  async revokeByGrantId(grantId: string): Promise<void> {
    await pool.query({ name: 'revoke', text: 'DELETE FROM oidc WHERE grant_id = $1', values: [grantId] });
  }
}

const { privateKey } = await generateKeyPair('ES256', { extractable: true });
const port = Number(process.env.PEER_PORT);
const issuer = `http://127.0.0.1:${port}`;
const provider = new Provider(issuer, {
  adapter: PostgresAdapter,
  jwks: { keys: [{ ...(await exportJWK(privateKey)), kid: 'peer', alg: 'ES256', use: 'sig' }] },
  clients: JSON.parse(process.env.PEER_CLIENTS ?? '[]'),
  cookies: { keys: ['bench only, no cookie is ever set'] },
  clientDefaults: { id_token_signed_response_alg: 'ES256' },
  scopes: ['openid', 'offline_access', 'mcp'],
  clientAuthMethods: ['none', 'client_secret_basic', 'client_secret_post', 'private_key_jwt'],
  features: {
    devInteractions: { enabled: false },
    registration: { enabled: true },
    introspection: { enabled: true, allowedPolicy: () => true },
    revocation: { enabled: true },
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: () => ({
        scope: 'mcp',
        audience: resource,
        accessTokenTTL: 600,
        accessTokenFormat: process.env.PEER_TOKEN_FORMAT ?? 'jwt',
        jwt: { sign: { alg: 'ES256' } },
      }),
    },
  },
});
provider.on('server_error', (_ctx: never, error: never) => console.error('peer:', error));
const server = createServer(provider.callback());
server.listen(port, '127.0.0.1', () => process.send?.({ port }));
process.on('disconnect', () => process.exit(0));
