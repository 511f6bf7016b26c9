import type { OAuthErrorAnswer } from '#lib/oauth/oauth-error.ts';
import type { OAuthApp } from './endpoint.ts';

/** An answer to be written on node:http itself. */
export type MachineAnswer = { status: number; headers: Record<string, string>; body?: string };

/**
 * Headers for endpoints that browser-based clients call from their own origin. `*` and no credentials: nothing here
 * depends on a cookie, so every origin may ask and none gains by it.
 */
export const crossOriginHeaders = {
  'access-control-allow-origin': '*',
  'access-control-expose-headers': 'WWW-Authenticate, Retry-After',
} as const;

/** The preflight of a cross-origin endpoint (Fetch §4.8). */
export function allowCrossOrigin(app: OAuthApp, path: string, methods: string): void {
  app.options(path, (c) =>
    c.body(null, 204, {
      ...crossOriginHeaders,
      'access-control-allow-methods': methods,
      'access-control-allow-headers': 'Authorization, Content-Type, MCP-Protocol-Version, DPoP',
      'access-control-max-age': '86400',
    }),
  );
}

/** An OAuth error as the HTTP response it describes. */
export function toErrorResponse(answer: OAuthErrorAnswer, headers: Record<string, string> = {}): Response {
  const { status, body, ...sent } = toErrorAnswer(answer, headers);
  return new Response(body, { status, headers: sent.headers });
}

/** The same for an endpoint answered on node:http. */
export function toErrorAnswer(answer: OAuthErrorAnswer, headers: Record<string, string> = {}) {
  return {
    status: answer.status,
    headers: { ...answer.headers, ...headers },
    body: JSON.stringify(answer.body),
  } satisfies MachineAnswer;
}
