import {
  describeClientMetadataReason,
  parseClientMetadata,
  toRegistrationErrorCode,
} from '#lib/oauth/client-metadata.ts';
import { oauthError } from '#lib/oauth/oauth-error.ts';
import { toRegistrationResponse } from '#lib/oauth/registration-response.ts';
import { DomainError } from '#lib/platform/errors.ts';
import { describeStrictJsonReason, parseStrictJson } from '#lib/platform/strict-json.ts';
import { createRegistrar } from '#lib/registration/register-client.ts';
import { metadataPolicy } from '#lib/registration/registration-policy.ts';
import { mediaTypeOf } from '../body.ts';
import { ctxOf, type Gate } from '../context.ts';
import { toErrorAnswer } from './answer.ts';
import { intakeOf } from './intake.ts';
import type { MachineEndpoint } from './machine.ts';

/** Largest registration, in bytes; real ones stay below 2 KB. */
export const maxRegistrationBytes = 16 * 1024;
export const maxRegistrationDepth = 8;

const registeredHeaders = {
  'content-type': 'application/json',
  'cache-control': 'no-store',
  pragma: 'no-cache',
};

/**
 * The client registration endpoint (RFC 7591 §3). Always 201 with a usable client_id when the metadata is sound: every
 * tested client fails for good on anything else. What the id is good for is decided later, by people.
 */
export function registrationEndpoint(gate: Gate): MachineEndpoint {
  const registrar = createRegistrar(gate.db, intakeOf(gate));
  const policy = metadataPolicy(gate.site);
  const refuse = (...error: Parameters<typeof oauthError>) => toErrorAnswer(oauthError(...error));

  return {
    path: '/register',
    crossOrigin: true,
    maxBodyBytes: maxRegistrationBytes,
    tooLarge: (message) => refuse('invalid_client_metadata', message, { status: 413 }),
    async answer(asked) {
      if (mediaTypeOf(asked.header('content-type')) !== 'application/json') {
        return refuse('invalid_client_metadata', 'Send the client metadata as application/json.', {
          status: 415,
        });
      }
      const parsed = parseStrictJson(asked.body, {
        maxBytes: maxRegistrationBytes,
        maxDepth: maxRegistrationDepth,
      });
      if (!parsed.ok) return refuse('invalid_client_metadata', describeStrictJsonReason(parsed.error));
      const metadata = parseClientMetadata(parsed.value, policy);
      if (!metadata.ok) {
        return refuse(toRegistrationErrorCode(metadata.error), describeClientMetadataReason(metadata.error));
      }
      try {
        const registered = await registrar.registerClient(ctxOf(gate, asked.caller), metadata.value);
        return {
          status: 201,
          headers: registeredHeaders,
          body: JSON.stringify(toRegistrationResponse(registered)),
        };
      } catch (error) {
        if (!(error instanceof DomainError)) throw error;
        if (error.code === 'unavailable') {
          gate.log.error({ err: error, traceId: asked.caller.traceId }, 'a registration could not be stored');
        }
        return toErrorAnswer(registrationRefusal(error));
      }
    },
  };
}

/** A refusal that is not about the metadata. Neither code makes a client throw its other registrations away. */
export function registrationRefusal(error: DomainError) {
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
