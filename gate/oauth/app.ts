import { Hono } from 'hono';
import { registerAuthzen } from '../authzen.ts';
import type { Gate } from '../context.ts';
import type { FeedHub } from '../guards/feed-hub.ts';
import { registerGuards } from '../guards/routes.ts';
import { methodNotAllowed } from '../method.ts';
import { allowCrossOrigin } from './answer.ts';
import { registerAuthorize } from './authorize.ts';
import { deviceAuthorizationEndpoint } from './device-authorization.ts';
import type { OAuthApp, Register } from './endpoint.ts';
import { introspectEndpoint } from './introspect.ts';
import { registerJwks } from './jwks.ts';
import { type MachineEndpoint, unforeseen } from './machine.ts';
import { registerRegistrationManagement } from './manage-registration.ts';
import { registerMetadata } from './metadata.ts';
import { pushEndpoint } from './par.ts';
import { registrationEndpoint } from './register.ts';
import { revokeEndpoint } from './revoke.ts';
import { tokenEndpoint } from './token.ts';

/** The endpoints programs call by the thousand, answered before a web framework sees the request. */
export function machineEndpoints(gate: Gate): ReadonlyMap<string, MachineEndpoint> {
  const endpoints = [
    ...(gate.site.deviceGrant ? [deviceAuthorizationEndpoint(gate)] : []),
    introspectEndpoint(gate),
    pushEndpoint(gate),
    registrationEndpoint(gate),
    revokeEndpoint(gate),
    tokenEndpoint(gate),
  ];
  return new Map(endpoints.map((endpoint) => [endpoint.path, endpoint]));
}

/** The other endpoints of the issuer host, one file each. */
const registers: readonly Register[] = [
  registerAuthorize,
  registerAuthzen,
  registerJwks,
  registerMetadata,
  registerRegistrationManagement,
];

/**
 * The issuer host. No cookie is ever read or set here: redirects to loopback clients carry every cookie of this
 * host's name. Errors nobody foresaw are answered as `server_error` without their message (RFC 6749 §5.2 shape).
 */
export function createOAuthApp(
  gate: Gate,
  feed: FeedHub,
  machine: ReadonlyMap<string, MachineEndpoint>,
): OAuthApp {
  const app: OAuthApp = new Hono();
  app.onError((error, c) => {
    const { status, headers, body } = unforeseen(gate, error, c.env.caller, c.req.path);
    return new Response(body, { status, headers });
  });
  app.notFound(
    (c) =>
      methodNotAllowed(app, c, machine.has(c.req.path) ? ['POST'] : []) ??
      c.json({ error: 'not_found' }, 404, { 'cache-control': 'no-store' }),
  );
  for (const { path, crossOrigin } of machine.values()) {
    if (crossOrigin) allowCrossOrigin(app, path, 'POST');
  }
  for (const register of registers) register(app, gate);
  registerGuards(app, gate, feed);
  return app;
}
