import { useState } from 'react';
import type { z } from 'zod';
import type { Action, ActionProblem } from '#components/console/action.ts';
import { useAction } from '#components/console/use-action.ts';
import { notify } from '#components/ui/toast.tsx';
import type { Signature } from '#lib/access/signatures.ts';
import type { ApprovedRequest, approveRequestInput } from '#lib/approvals/approve-request.ts';
import type { rejectRequestInput } from '#lib/approvals/reject-request.ts';
import type { requestChangesInput } from '#lib/approvals/request-changes.ts';
import type { ApprovalToSign, beginApprovalInput } from '#lib/approvals/signed-approval.ts';
import type { Review } from '#lib/approvals/views.ts';
import type { Verdict } from './decision-dialog.tsx';
import { type Choice, type Narrowing, toGrant } from './narrowing.ts';
import { signApproval } from './sign-approval.ts';

export type DecisionActions = {
  approve: Action<z.input<typeof approveRequestInput>, ApprovedRequest>;
  beginApproval: Action<z.input<typeof beginApprovalInput>, ApprovalToSign>;
  reject: Action<z.input<typeof rejectRequestInput>, { id: string; state: 'rejected' }>;
  requestChanges: Action<z.input<typeof requestChangesInput>, { id: string; state: 'changes requested' }>;
};

/** The verdict being given: which one, sending it with its reason, and what became of it. */
export function useDecision({
  review,
  narrowing,
  choice,
  actions,
  onDecided,
}: {
  /** The words that were read: the decision names exactly these. */
  review: Review;
  narrowing: Narrowing;
  choice: Choice;
  actions: DecisionActions;
  onDecided: () => void;
}) {
  const [verdict, setVerdict] = useState<Verdict | null>(null);
  const [decisions, setDecisions] = useState(0);
  const [signing, setSigning] = useState(false);
  const [failure, setFailure] = useState<ActionProblem | null>(null);
  const begin = useAction(actions.beginApproval);
  const approve = useAction(actions.approve);
  const reject = useAction(actions.reject);
  const changes = useAction(actions.requestChanges);

  function confirm(reason: string) {
    setFailure(null);
    const { id: requestId, snapshotDigest, label } = review;
    const done = (title: string) => {
      setVerdict(null);
      setDecisions((count) => count + 1);
      notify({ tone: 'success', title });
      onDecided();
    };
    if (verdict === 'reject') {
      reject.run({ requestId, snapshotDigest, reason }, () => done(`${label} rejected`));
    } else if (verdict === 'changes') {
      changes.run({ requestId, snapshotDigest, reason }, () => done(`${label} sent back for changes`));
    } else if (verdict) {
      const asked = { requestId, snapshotDigest, ...toGrant(review, narrowing, choice) };
      const send = (signature?: Signature) =>
        approve.run({ ...asked, comment: reason, signature }, (output) =>
          done(
            output.state === 'approved'
              ? `${label} approved`
              : `${label}: your approval counts, ${output.requiredApprovals - output.votes} more needed`,
          ),
        );
      if (choice.needsSignature) begin.run(asked, (toSign) => sign(toSign, send));
      else send();
    }
  }

  /** The signature is made by a passkey, or in the demo by the key it keeps for its people. */
  async function sign(toSign: ApprovalToSign, send: (signature?: Signature) => void) {
    if (!toSign.needsSignature) return send();
    setSigning(true);
    const made = await signApproval(toSign, review.signsWith);
    setSigning(false);
    if ('problem' in made) setFailure(made.problem);
    else send(made.signature);
  }

  return {
    verdict,
    /** How many were given: a reason written for one never waits in the dialog of the next. */
    decisions,
    choose(next: Verdict) {
      for (const action of [begin, approve, reject, changes]) action.clear();
      setFailure(null);
      setVerdict(next);
    },
    cancel: () => setVerdict(null),
    confirm,
    pending: signing || begin.pending || approve.pending || reject.pending || changes.pending,
    problem: failure ?? begin.problem ?? approve.problem ?? reject.problem ?? changes.problem,
  };
}
