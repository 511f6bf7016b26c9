import {
  describeClientMetadataReason,
  parseClientMetadata,
  toRegistrationErrorCode,
} from '#lib/oauth/client-metadata.ts';
import { oauthError } from '#lib/oauth/oauth-error.ts';
import { toRegistrationResponse } from '#lib/oauth/registration-response.ts';
import { parseRanges } from '#lib/platform/address.ts';
import { DomainError } from '#lib/platform/errors.ts';
import { describeStrictJsonReason, parseStrictJson } from '#lib/platform/strict-json.ts';
import { Intake } from '#lib/registration/intake.ts';
import { createRegistrar } from '#lib/registration/register-client.ts';
import { metadataPolicy } from '#lib/registration/registration-policy.ts';
import { BodyTooLarge, mediaTypeOf, readBody } from '../body.ts';
import { ctxOf } from '../context.ts';
import { allowCrossOrigin, crossOriginHeaders, toErrorResponse } from './answer.ts';
import type { Register } from './endpoint.ts';

/** Largest registration, in bytes; real ones stay below 2 KB. */
const maxBodyBytes = 16 * 1024;
const maxDepth = 8;

/**
 * The client registration endpoint (RFC 7591 §3). Always 201 with a usable client_id when the metadata is sound: every
 * tested client fails for good on anything else. What the id is good for is decided later, by people.
 */
export const registerRegister: Register = (app, gate) => {
  const { config } = gate;
  const intake = new Intake(gate.db, gate.clock, {
    networks: parseRanges(config.registrationNetworks),
    perSourcePerMinute: config.registrationsPerSource,
    perMinute: config.registrationsPerMinute,
    maxUnclaimedPerSource: config.unclaimedPerSource,
    maxUnclaimed: config.unclaimedClients,
  });
  const registrar = createRegistrar(gate.db, intake);
  const policy = metadataPolicy(gate.site);

  allowCrossOrigin(app, '/register', 'POST');
  app.post('/register', async (c) => {
    const refuse = (...error: Parameters<typeof oauthError>) =>
      toErrorResponse(oauthError(...error), crossOriginHeaders);
    if (mediaTypeOf(c.req.raw) !== 'application/json') {
      return refuse('invalid_client_metadata', 'Send the client metadata as application/json.', {
        status: 415,
      });
    }
    let bytes: Uint8Array;
    try {
      bytes = await readBody(c.req.raw, maxBodyBytes);
    } catch (error) {
      if (!(error instanceof BodyTooLarge)) throw error;
      return refuse('invalid_client_metadata', error.message, { status: 413 });
    }
    const parsed = parseStrictJson(bytes, { maxBytes: maxBodyBytes, maxDepth });
    if (!parsed.ok) return refuse('invalid_client_metadata', describeStrictJsonReason(parsed.error));
    const metadata = parseClientMetadata(parsed.value, policy);
    if (!metadata.ok) {
      return refuse(toRegistrationErrorCode(metadata.error), describeClientMetadataReason(metadata.error));
    }
    try {
      const registered = await registrar.registerClient(ctxOf(gate, c.env.caller), metadata.value);
      return c.json(toRegistrationResponse(registered), 201, {
        ...crossOriginHeaders,
        'cache-control': 'no-store',
        pragma: 'no-cache',
      });
    } catch (error) {
      if (!(error instanceof DomainError)) throw error;
      if (error.code === 'unavailable') {
        gate.log.error({ err: error, traceId: c.env.caller.traceId }, 'a registration could not be stored');
      }
      return toErrorResponse(registrationRefusal(error), crossOriginHeaders);
    }
  });
};

/** A refusal that is not about the metadata. Neither code makes a client throw its other registrations away. */
function registrationRefusal(error: DomainError) {
  switch (error.code) {
    case 'limit_exceeded':
      return oauthError('too_many_requests', error.message, {
        retryAfterSeconds: Number(error.detail.retryAfterSeconds ?? 60),
      });
    case 'forbidden':
      return oauthError('access_denied', error.message, { status: 403 });
    default:
      return oauthError('temporarily_unavailable', 'Registration is not possible at the moment. Try again.', {
        retryAfterSeconds: 2,
      });
  }
}
