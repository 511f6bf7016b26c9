import { exchange, refuseMalformed } from '#lib/credentials/exchange.ts';
import type { TokenAnswer } from '#lib/credentials/grant-outcome.ts';
import type { TokenRefusal } from '#lib/credentials/refusal.ts';
import { readClientAuthentication, toClientAuthenticationError } from '#lib/oauth/client-authentication.ts';
import type { GrantType } from '#lib/oauth/client-metadata.ts';
import { type OAuthErrorAnswer, oauthError } from '#lib/oauth/oauth-error.ts';
import type { Parameters } from '#lib/oauth/parameters.ts';
import { MAX_TOKEN_REQUEST_BYTES, parseTokenRequest, readFormRequest } from '#lib/oauth/token-request.ts';
import { err, type Result } from '#lib/platform/result.ts';
import { BodyTooLarge, readBody } from '../body.ts';
import { ctxOf } from '../context.ts';
import { allowCrossOrigin, crossOriginHeaders, toErrorResponse } from './answer.ts';
import type { Register } from './endpoint.ts';

/** The grants this server implements, and publishes. */
export const offeredGrants = [
  'authorization_code',
  'refresh_token',
  'client_credentials',
] as const satisfies readonly GrantType[];

const tokenHeaders = {
  ...crossOriginHeaders,
  'content-type': 'application/json',
  'cache-control': 'no-store',
  pragma: 'no-cache',
};

/** The token endpoint (RFC 6749 §3.2). No cookie is read, nothing is cached, any origin may ask. */
export const registerToken: Register = (app, gate) => {
  allowCrossOrigin(app, '/token', 'POST');
  app.post('/token', async (c) => {
    const form = await readForm(c.req.raw);
    if (!form.ok) return toErrorResponse(form.error, crossOriginHeaders);
    const presented = readClientAuthentication(c.req.raw.headers.get('authorization'), form.value);
    if (!presented.ok)
      return toErrorResponse(toClientAuthenticationError(presented.error), crossOriginHeaders);
    const request = parseTokenRequest(form.value, offeredGrants);
    const ctx = ctxOf(gate, c.env.caller);
    if (!request.ok) {
      // Who asks comes before what is asked: a client nobody knows hears that first, so that it registers again.
      const unknown = await refuseMalformed(ctx, presented.value);
      return toErrorResponse(unknown ? toOAuthError(unknown) : request.error, crossOriginHeaders);
    }
    const outcome = await exchange(ctx, presented.value, request.value);
    if (!outcome.ok) return toErrorResponse(toOAuthError(outcome.error), crossOriginHeaders);
    return new Response(JSON.stringify(outcome.value satisfies TokenAnswer), {
      status: 200,
      headers: tokenHeaders,
    });
  });
};

/** The form of a token, revocation or introspection request, read and checked in form. */
export async function readForm(request: Request): Promise<Result<Parameters, OAuthErrorAnswer>> {
  let body: Uint8Array;
  try {
    body = await readBody(request, MAX_TOKEN_REQUEST_BYTES);
  } catch (error) {
    if (!(error instanceof BodyTooLarge)) throw error;
    return err(oauthError('invalid_request', error.message, { status: 413 }));
  }
  const { url, headers } = request;
  const question = url.indexOf('?');
  return readFormRequest({
    contentType: headers.get('content-type'),
    query: question < 0 ? '' : url.slice(question),
    body: Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8'),
  });
}

export function toOAuthError(refused: TokenRefusal): OAuthErrorAnswer {
  return oauthError(refused.code, refused.description, {
    ...(refused.errorUri ? { errorUri: refused.errorUri } : {}),
    ...(refused.challenge ? { challenge: refused.challenge } : {}),
    ...(refused.retryAfterSeconds ? { retryAfterSeconds: refused.retryAfterSeconds } : {}),
  });
}
