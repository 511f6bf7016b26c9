import type { ActionProblem } from './action.ts';

/** What the browser says when a passkey comes to nothing (Web Authentication Level 3 §5.1), for people. */
const reasons: Record<string, string> = {
  NotAllowedError:
    'No passkey was used: it was cancelled, took too long, or none of yours is on this device.',
  InvalidStateError: 'This device holds a passkey for this account already.',
  SecurityError: 'Passkeys do not work at this address. Open the console by its host name.',
  NotSupportedError: 'This device cannot make a passkey that asks for your fingerprint, face or PIN.',
};

export function describePasskeyFailure(error: unknown): ActionProblem {
  const name = error instanceof Error ? ((error.cause as Error | undefined)?.name ?? error.name) : '';
  const detail =
    reasons[name] ?? reasons[(error as Error).name] ?? 'The browser could not use a passkey. Try again.';
  return { code: 'invalid', detail, requestId: '', issues: [], facts: {} };
}
