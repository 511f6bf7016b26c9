import { GuardRefused, verifyGuardRequest } from '#guard/gate-side.ts';
import { toNumericDate } from '#lib/platform/clock.ts';
import { sha256 } from '#lib/platform/crypto.ts';
import { Unauthenticated } from '#lib/platform/errors.ts';
import { type EnrolledGuard, findEnrolledGuard } from '#lib/revocation/guards.ts';
import type { Gate } from './context.ts';

/** A program that answers for MCP servers: a guard, or a server without one by its own token. */
export type ServerCaller =
  | { kind: 'server'; token: string }
  | { kind: 'guard'; guardId: string; name: string; serverIds: readonly string[] };

/** As much of a request as says who sent it: a guard signs method, path with query, and body. */
export type Asked = { method: string; path: string; authorization: string | null };

export function askedOf(request: Request): Asked {
  const { pathname, search } = new URL(request.url);
  return {
    method: request.method,
    path: pathname + search,
    authorization: request.headers.get('authorization'),
  };
}

/**
 * Who asks about tokens and calls: `Authorization: Bearer crt_…` of a server, or a guard's signed credential. Whether a
 * server's token is known is for whoever looks it up. Throws `Unauthenticated` for anything else.
 */
export async function readServerCaller(gate: Gate, asked: Asked, body: Uint8Array): Promise<ServerCaller> {
  const { authorization } = asked;
  const bearer = /^bearer +([\x21-\x7e]{1,200})$/i.exec(authorization ?? '')?.[1];
  if (bearer) return { kind: 'server', token: bearer };
  if (!authorization?.startsWith('Guard ')) throw new Unauthenticated('Say which server or guard asks.');
  try {
    const { id, name, serverIds } = await requireGuard(gate, asked, body);
    return { kind: 'guard', guardId: id, name, serverIds };
  } catch (error) {
    if (!(error instanceof GuardRefused)) throw error;
    throw new Unauthenticated(error.message, { guardRefusal: error.code });
  }
}

/**
 * The enrolled guard that signed this request: over method, path and body, and in use once, in every gate. Throws
 * `GuardRefused` with the code a guard understands.
 */
export async function requireGuard(gate: Gate, asked: Asked, body: Uint8Array): Promise<EnrolledGuard> {
  let known: EnrolledGuard | null = null;
  const { jti, exp } = await verifyGuardRequest(
    { ...asked, body },
    {
      issuer: gate.site.issuer,
      nowSeconds: toNumericDate(gate.clock.now()),
      async keyOf(guardId) {
        known = await findEnrolledGuard(gate, guardId);
        if (!known)
          throw new GuardRefused('guard_unknown', 'this guard is not enrolled here, or was revoked');
        return known.signingKey;
      },
    },
  );
  const guard = known as EnrolledGuard | null;
  if (!guard) throw new GuardRefused('guard_unknown', 'this guard is not enrolled here');
  const { rowCount } = await gate.db.hot.query({
    name: 'guard jti',
    text: 'INSERT INTO assertion_use (key, expires_at) VALUES ($1, to_timestamp($2)) ON CONFLICT DO NOTHING',
    values: [sha256(`guard ${guard.id} ${jti}`), exp + 60],
  });
  if (rowCount === 0) throw new GuardRefused('guard_auth_invalid', 'this credential was used before');
  return guard;
}
