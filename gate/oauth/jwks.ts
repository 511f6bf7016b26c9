import { publishedKeys } from '#lib/credentials/signing-keys.ts';
import { ctxOf } from '../context.ts';
import { allowCrossOrigin, crossOriginHeaders } from './answer.ts';
import type { Register } from './endpoint.ts';

export const jwksPath = '/jwks';

/**
 * The public keys of access tokens (RFC 7517): the next one already, the active one, and retired ones until the last
 * token they signed has expired. May be kept for a minute; a next key is published long before it signs.
 */
export const registerJwks: Register = (app, gate) => {
  allowCrossOrigin(app, jwksPath, 'GET');
  app.get(jwksPath, async (c) => {
    const keys = await publishedKeys(ctxOf(gate, c.env.caller), 'token');
    return c.json({ keys: keys.map((key) => ({ ...key.publicJwk, use: 'sig' })) }, 200, {
      ...crossOriginHeaders,
      'cache-control': 'public, max-age=60',
    });
  });
};
