import type { Context, Env, Hono } from 'hono';

const methods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;

/**
 * 405 with Allow (RFC 9110 §15.5.6) when the path exists under other methods; null when it does not exist at all.
 * `elsewhere`: methods the path has outside this app.
 */
export function methodNotAllowed<E extends Env>(
  app: Hono<E>,
  c: Context<E>,
  elsewhere: readonly string[] = [],
): Response | null {
  const allowed = methods.filter(
    (method) => elsewhere.includes(method) || app.router.match(method, c.req.path)[0].length > 0,
  );
  if (allowed.length === 0) return null;
  return c.json({ error: 'method_not_allowed' }, 405, {
    allow: allowed.join(', '),
    'cache-control': 'no-store',
  });
}
