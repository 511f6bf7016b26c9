import { startAuthentication } from '@simplewebauthn/browser';
import type { ActionProblem } from '#components/console/action.ts';
import { describePasskeyFailure } from '#components/console/passkey-failure.ts';
import { unreachable } from '#components/console/unreachable.ts';
import type { Signature } from '#lib/access/signatures.ts';
import type { ApprovalToSign } from '#lib/approvals/signed-approval.ts';
import type { Review } from '#lib/approvals/views.ts';

/** Has what the approval says signed, by the passkey of whoever sits here, or says why that came to nothing. */
export async function signApproval(
  { passkey, statement }: ApprovalToSign,
  signsWith: Review['signsWith'],
): Promise<{ signature: Signature } | { problem: ActionProblem }> {
  if (passkey) {
    try {
      const { id, rawId, type, response } = await startAuthentication({ optionsJSON: passkey });
      const { clientDataJSON, authenticatorData, signature } = response;
      const assertion = { id, rawId, type, response: { clientDataJSON, authenticatorData, signature } };
      return { signature: { by: 'passkey', assertion } as Signature };
    } catch (error) {
      return { problem: describePasskeyFailure(error) };
    }
  }
  if (signsWith !== 'demo') {
    const detail = 'You have no passkey any more. Add one in your settings, then approve again.';
    return { problem: { ...describePasskeyFailure(null), detail } };
  }
  // The demo's own page answers; outside the demo there is none.
  const answer = await fetch('/demo/sign', { method: 'POST', body: statement }).catch(() => null);
  return answer?.ok ? { signature: (await answer.json()) as Signature } : { problem: unreachable };
}
