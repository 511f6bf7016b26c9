import { readClientAuthentication, toClientAuthenticationError } from '#lib/oauth/client-authentication.ts';
import { parseDeviceAuthorizationRequest } from '#lib/oauth/device-grant.ts';
import { DomainError } from '#lib/platform/errors.ts';
import { askForDevice } from '#lib/registration/ask-for-device.ts';
import { ctxOf, type Gate } from '../context.ts';
import { toErrorAnswer } from './answer.ts';
import { intakeOf } from './intake.ts';
import type { MachineEndpoint } from './machine.ts';
import { registrationRefusal } from './register.ts';
import { formEndpoint, readForm } from './token.ts';

export const deviceAuthorizationPath = '/device_authorization';

const answerHeaders = { 'content-type': 'application/json', 'cache-control': 'no-store', pragma: 'no-cache' };

/**
 * The device authorization endpoint (RFC 8628 §3.1, §3.2). There is no `verification_uri_complete`: a link that carries
 * the code would let whoever started a sign-in have it finished by anybody who clicks (§5.4).
 */
export function deviceAuthorizationEndpoint(gate: Gate): MachineEndpoint {
  const intake = intakeOf(gate);
  return formEndpoint(
    deviceAuthorizationPath,
    async (asked) => {
      const form = readForm(asked);
      if (!form.ok) return toErrorAnswer(form.error);
      const presented = readClientAuthentication(asked.header('authorization'), form.value);
      if (!presented.ok) return toErrorAnswer(toClientAuthenticationError(presented.error));
      const request = parseDeviceAuthorizationRequest(form.value);
      if (!request.ok) return toErrorAnswer(request.error);
      try {
        const answer = await askForDevice(ctxOf(gate, asked.caller), intake, presented.value, request.value);
        if (!answer.ok) return toErrorAnswer(answer.error);
        const { deviceCode, userCode, verificationUri, expiresInSeconds, intervalSeconds } = answer.value;
        return {
          status: 200,
          headers: answerHeaders,
          body: JSON.stringify({
            device_code: deviceCode,
            user_code: userCode,
            verification_uri: verificationUri,
            expires_in: expiresInSeconds,
            interval: intervalSeconds,
          }),
        };
      } catch (error) {
        if (!(error instanceof DomainError)) throw error;
        return toErrorAnswer(registrationRefusal(error));
      }
    },
    { crossOrigin: false },
  );
}
