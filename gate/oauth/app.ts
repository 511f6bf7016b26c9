import { Hono } from 'hono';
import { isDatabaseTrouble } from '#lib/platform/database-trouble.ts';
import { registerAuthzen } from '../authzen.ts';
import type { Gate } from '../context.ts';
import type { FeedHub } from '../guards/feed-hub.ts';
import { registerGuards } from '../guards/routes.ts';
import { methodNotAllowed } from '../method.ts';
import { registerAuthorize } from './authorize.ts';
import type { OAuthApp, Register } from './endpoint.ts';
import { registerIntrospect } from './introspect.ts';
import { registerJwks } from './jwks.ts';
import { registerMetadata } from './metadata.ts';
import { registerRegister } from './register.ts';
import { registerRevoke } from './revoke.ts';
import { registerToken } from './token.ts';

/** The endpoints of the issuer host, one file each. */
const registers: readonly Register[] = [
  registerAuthorize,
  registerAuthzen,
  registerIntrospect,
  registerJwks,
  registerMetadata,
  registerRegister,
  registerRevoke,
  registerToken,
];

/**
 * The issuer host. No cookie is ever read or set here: redirects to loopback clients carry every cookie of this
 * host's name. Errors nobody foresaw are answered as `server_error` without their message (RFC 6749 §5.2 shape).
 */
export function createOAuthApp(gate: Gate, feed: FeedHub): OAuthApp {
  const app: OAuthApp = new Hono();
  app.onError((error, c) => {
    gate.log.error({ err: error, traceId: c.env.caller.traceId, path: c.req.path }, 'request failed');
    if (isDatabaseTrouble(error)) {
      return c.json(
        {
          error: 'temporarily_unavailable',
          error_description: 'The database does not answer. Nothing happened; try again.',
        },
        503,
        { 'cache-control': 'no-store', 'retry-after': '2' },
      );
    }
    return c.json(
      {
        error: 'server_error',
        error_description: `Something went wrong. Request id: ${c.env.caller.traceId}`,
      },
      500,
      { 'cache-control': 'no-store' },
    );
  });
  app.notFound(
    (c) => methodNotAllowed(app, c) ?? c.json({ error: 'not_found' }, 404, { 'cache-control': 'no-store' }),
  );
  for (const register of registers) register(app, gate);
  registerGuards(app, gate, feed);
  return app;
}
