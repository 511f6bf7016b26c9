import type { Context } from 'hono';
import { parseBearer, toBearerChallenge } from '#lib/oauth/bearer.ts';
import {
  describeClientMetadataReason,
  parseClientMetadata,
  toRegistrationErrorCode,
} from '#lib/oauth/client-metadata.ts';
import { oauthError } from '#lib/oauth/oauth-error.ts';
import { toRegistrationResponse } from '#lib/oauth/registration-response.ts';
import { DomainError } from '#lib/platform/errors.ts';
import { describeStrictJsonReason, isJsonObject, parseStrictJson } from '#lib/platform/strict-json.ts';
import {
  endRegistration,
  type Manager,
  readRegistration,
  replaceRegistration,
} from '#lib/registration/manage-client.ts';
import type { RegisteredClient } from '#lib/registration/register-client.ts';
import { metadataPolicy } from '#lib/registration/registration-policy.ts';
import { BodyTooLarge, mediaTypeOf, readBody } from '../body.ts';
import { ctxOf } from '../context.ts';
import { allowCrossOrigin, crossOriginHeaders, toErrorResponse } from './answer.ts';
import type { OAuthEnv, Register } from './endpoint.ts';
import { intakeOf } from './intake.ts';
import { maxRegistrationBytes, maxRegistrationDepth, registrationRefusal } from './register.ts';

const path = '/register/:clientId';

/** What only the server says (RFC 7592 §2.2: the client MUST NOT include them). */
const serversOwn = [
  'registration_access_token',
  'registration_client_uri',
  'client_secret_expires_at',
  'client_id_issued_at',
] as const;

/**
 * The client configuration endpoint (RFC 7592): a client reads, replaces and ends its own registration with the token it
 * was given for that. Each use answers with the next token.
 */
export const registerRegistrationManagement: Register = (app, gate) => {
  const policy = metadataPolicy(gate.site);
  const intake = intakeOf(gate);
  allowCrossOrigin(app, path, 'GET, PUT, DELETE');

  app.get(path, (c) =>
    answer(c, async (manager) =>
      toInformation(await readRegistration(ctxOf(gate, c.env.caller), intake, manager)),
    ),
  );

  app.put(path, (c) =>
    answer(c, async (manager) => {
      if (mediaTypeOf(c.req.header('content-type') ?? null) !== 'application/json') {
        return refuse('Send the client metadata as application/json.', 415);
      }
      const body = await readBody(c.req.raw, maxRegistrationBytes);
      const parsed = parseStrictJson(body, {
        maxBytes: maxRegistrationBytes,
        maxDepth: maxRegistrationDepth,
      });
      if (!parsed.ok) return refuse(describeStrictJsonReason(parsed.error));
      if (!isJsonObject(parsed.value)) return refuse('The client metadata is not a JSON object.');
      const { client_id: clientId, client_secret: secret = null } = parsed.value;
      if (clientId !== manager.clientId) return refuse('client_id must be the one this registration has.');
      const own = serversOwn.find((name) => Object.hasOwn(parsed.value as object, name));
      if (own) return refuse(`${own} is the server's own and cannot be sent.`);
      if (secret !== null && typeof secret !== 'string') return refuse('client_secret is not a text.');
      const metadata = parseClientMetadata(parsed.value, policy);
      if (!metadata.ok) {
        return toErrorResponse(
          oauthError(toRegistrationErrorCode(metadata.error), describeClientMetadataReason(metadata.error)),
          crossOriginHeaders,
        );
      }
      const ctx = ctxOf(gate, c.env.caller);
      return toInformation(await replaceRegistration(ctx, intake, manager, metadata.value, secret));
    }),
  );

  app.delete(path, (c) =>
    answer(c, async (manager) => {
      await endRegistration(ctxOf(gate, c.env.caller), manager);
      return new Response(null, { status: 204, headers: informationHeaders });
    }),
  );
};

const informationHeaders = { ...crossOriginHeaders, 'cache-control': 'no-store', pragma: 'no-cache' };

/** RFC 7592 §3. A secret is shown at its birth only, since nothing but its digest is kept. */
function toInformation(client: RegisteredClient): Response {
  return new Response(JSON.stringify(toRegistrationResponse(client)), {
    status: 200,
    headers: { ...informationHeaders, 'content-type': 'application/json' },
  });
}

/** Runs one operation for whoever presents a token, and dresses its refusals for the wire. */
async function answer(
  c: Context<OAuthEnv, typeof path>,
  run: (manager: Manager) => Promise<Response>,
): Promise<Response> {
  const token = parseBearer(c.req.header('authorization'));
  if (!token.ok)
    return unauthorized(token.error === 'absent' ? null : 'The Authorization header is not a Bearer token.');
  try {
    return await run({ clientId: c.req.param('clientId'), token: token.value });
  } catch (error) {
    if (error instanceof BodyTooLarge) return refuse(error.message, 413);
    if (!(error instanceof DomainError)) throw error;
    if (error.code === 'unauthenticated') return unauthorized(error.message);
    if (error.code === 'invalid') return refuse(error.message);
    return toErrorResponse(registrationRefusal(error), crossOriginHeaders);
  }
}

function refuse(message: string, status?: number): Response {
  return toErrorResponse(
    oauthError('invalid_client_metadata', message, status ? { status } : {}),
    crossOriginHeaders,
  );
}

/** RFC 6750 §3.1; a request without any token is told only that one is needed. */
function unauthorized(description: string | null): Response {
  const challenge = toBearerChallenge(description === null ? {} : { error: 'invalid_token', description });
  return toErrorResponse(
    oauthError('invalid_token', description ?? 'A registration access token is needed.'),
    {
      ...crossOriginHeaders,
      'www-authenticate': challenge,
    },
  );
}
