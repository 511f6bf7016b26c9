import { exchange, refuseMalformed } from '#lib/credentials/exchange.ts';
import type { TokenAnswer } from '#lib/credentials/grant-outcome.ts';
import type { TokenRefusal } from '#lib/credentials/refusal.ts';
import { readClientAuthentication, toClientAuthenticationError } from '#lib/oauth/client-authentication.ts';
import { deviceCodeGrant } from '#lib/oauth/device-grant.ts';
import { type OAuthErrorAnswer, oauthError } from '#lib/oauth/oauth-error.ts';
import type { Parameters } from '#lib/oauth/parameters.ts';
import { MAX_TOKEN_REQUEST_BYTES, parseTokenRequest, readFormRequest } from '#lib/oauth/token-request.ts';
import type { Result } from '#lib/platform/result.ts';
import { redeemDeviceCode } from '#lib/registration/redeem-device-code.ts';
import { offeredGrants } from '#lib/registration/registration-policy.ts';
import { ctxOf, type Gate } from '../context.ts';
import { toErrorAnswer } from './answer.ts';
import type { MachineEndpoint, MachineRequest } from './machine.ts';

const tokenHeaders = {
  'content-type': 'application/json',
  'cache-control': 'no-store',
  pragma: 'no-cache',
};

/** The token endpoint (RFC 6749 §3.2). No cookie is read, nothing is cached, any origin may ask. */
export function tokenEndpoint(gate: Gate): MachineEndpoint {
  const offered = offeredGrants(gate.site);
  return formEndpoint('/token', async (asked) => {
    const form = readForm(asked);
    if (!form.ok) return toErrorAnswer(form.error);
    const presented = readClientAuthentication(asked.header('authorization'), form.value);
    if (!presented.ok) return toErrorAnswer(toClientAuthenticationError(presented.error));
    const request = parseTokenRequest(form.value, offered);
    const ctx = ctxOf(gate, asked.caller);
    if (!request.ok) {
      // Who asks comes before what is asked: a client nobody knows hears that first, so that it registers again.
      const unknown = await refuseMalformed(ctx, presented.value);
      return toErrorAnswer(unknown ? toOAuthError(unknown) : request.error);
    }
    const outcome =
      request.value.grantType === deviceCodeGrant
        ? await redeemDeviceCode(ctx, presented.value, request.value)
        : await exchange(ctx, presented.value, request.value);
    if (!outcome.ok) return toErrorAnswer(toOAuthError(outcome.error));
    return {
      status: 200,
      headers: tokenHeaders,
      body: JSON.stringify(outcome.value satisfies TokenAnswer),
    };
  });
}

/** An endpoint that takes a form, from pages of any origin unless told otherwise. */
export function formEndpoint(
  path: string,
  answer: MachineEndpoint['answer'],
  { crossOrigin = true }: { crossOrigin?: boolean } = {},
): MachineEndpoint {
  return {
    path,
    crossOrigin,
    maxBodyBytes: MAX_TOKEN_REQUEST_BYTES,
    answer,
    tooLarge: (message) => toErrorAnswer(oauthError('invalid_request', message, { status: 413 })),
  };
}

/** The form of a token, revocation or introspection request, checked in form. */
export function readForm(asked: MachineRequest): Result<Parameters, OAuthErrorAnswer> {
  const question = asked.path.indexOf('?');
  const { buffer, byteOffset, byteLength } = asked.body;
  return readFormRequest({
    contentType: asked.header('content-type'),
    query: question < 0 ? '' : asked.path.slice(question),
    body: Buffer.from(buffer, byteOffset, byteLength).toString('utf8'),
  });
}

export function toOAuthError(refused: TokenRefusal): OAuthErrorAnswer {
  return oauthError(refused.code, refused.description, {
    ...(refused.errorUri ? { errorUri: refused.errorUri } : {}),
    ...(refused.challenge ? { challenge: refused.challenge } : {}),
    ...(refused.retryAfterSeconds ? { retryAfterSeconds: refused.retryAfterSeconds } : {}),
  });
}
