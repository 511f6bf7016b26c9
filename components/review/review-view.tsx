'use client';

import { Bot, Check, Fingerprint, MessageSquareWarning, ScrollText, X } from 'lucide-react';
import { type KeyboardEvent, useRef, useState } from 'react';
import { useLive } from '#components/console/live.ts';
import { Dossier } from '#components/evidence/dossier.tsx';
import { usePageActions } from '#components/palette/page-actions.ts';
import { type CommentAction, Conversation } from '#components/requests/conversation.tsx';
import { History } from '#components/requests/history.tsx';
import { PurposeList } from '#components/requests/purpose-list.tsx';
import { reviewQuery } from '#components/requests/queries.ts';
import { useKeptQuery } from '#components/requests/use-kept-query.ts';
import { Card } from '#components/ui/card.tsx';
import type { Review } from '#lib/approvals/views.ts';
import { Around } from './around.tsx';
import { AskedBesideGranted } from './asked-beside-granted.tsx';
import { Banners } from './banners.tsx';
import { DecisionControls } from './decision-controls.tsx';
import { DecisionDialog, type Verdict } from './decision-dialog.tsx';
import { Difference } from './difference.tsx';
import { LifetimeCard } from './lifetime-card.tsx';
import { type Narrowing, noNarrowing, toChoice } from './narrowing.ts';
import { ReviewHeader } from './review-header.tsx';
import { ToolsCard } from './tools-card.tsx';
import { type DecisionActions, useDecision } from './use-decision.ts';
import { VerdictBox } from './verdict-box.tsx';
import { Votes } from './votes.tsx';

export type ReviewActions = DecisionActions & { comment: CommentAction };

/**
 * Everything a decision rests on, on one page. What is shown is held still: an edit that arrives while it is read is
 * announced, and only taking it over changes what a decision here names.
 */
export function ReviewView({
  initial,
  canComment,
  actions,
}: {
  initial: Review;
  canComment: boolean;
  actions: ReviewActions;
}) {
  useLive(['requests'], { id: initial.id });
  const { data: latest } = useKeptQuery<Review>(reviewQuery(initial.id), initial);
  const [held, setHeld] = useState(initial);
  const [narrowing, setNarrowing] = useState<Narrowing>(() => noNarrowing(initial));
  const region = useRef<HTMLDivElement>(null);

  const open = latest.state === 'submitted';
  // Once it is decided there is nothing left to hold still for.
  const edited = open && latest.snapshotDigest !== held.snapshotDigest;
  // The words stay as they were read; votes, comments and state are always the latest.
  const review = edited
    ? {
        ...held,
        state: latest.state,
        votesCast: latest.votesCast,
        comments: latest.comments,
        history: latest.history,
        decision: latest.decision,
      }
    : latest;
  const readOnly = !open || edited || review.cannotDecide !== null;
  const choice = toChoice(review, narrowing);
  const decision = useDecision({
    review,
    narrowing,
    choice,
    actions,
    onDecided: () => region.current?.focus(),
  });

  function takeOver() {
    setHeld(latest);
    setNarrowing(noNarrowing(latest));
  }

  /** Single keys act only while the focus is in this region and nothing is being typed (WCAG 2.1.4). */
  function onKeyDown(event: KeyboardEvent<HTMLDivElement>) {
    if (event.metaKey || event.ctrlKey || event.altKey || decision.verdict !== null) return;
    const target = event.target as HTMLElement;
    if (target.closest('input, textarea, select, [role="combobox"], [role="listbox"], [contenteditable]'))
      return;
    const key = event.key.toLowerCase();
    if (key === 'c' && canComment) {
      event.preventDefault();
      document.getElementById('comment-text')?.focus();
      return;
    }
    if (readOnly) return;
    if (key === 'e') {
      event.preventDefault();
      document.getElementById('tools')?.querySelector<HTMLElement>('[role="checkbox"]')?.focus();
      return;
    }
    const approval: Verdict = choice.narrowed ? 'narrow' : 'approve';
    const verdicts: Partial<Record<string, Verdict | null>> = {
      a: choice.blocked === null ? approval : null,
      r: 'changes',
      d: 'reject',
    };
    const verdict = verdicts[{ 1: 'a', 2: 'r', 3: 'd' }[key] ?? key];
    if (!verdict) return;
    event.preventDefault();
    decision.choose(verdict);
  }

  usePageActions([
    !readOnly &&
      choice.blocked === null && {
        label: choice.narrowed ? 'Approve narrowed…' : 'Approve as asked…',
        icon: Check,
        run: () => decision.choose(choice.narrowed ? 'narrow' : 'approve'),
      },
    !readOnly && {
      label: 'Request changes…',
      icon: MessageSquareWarning,
      run: () => decision.choose('changes'),
    },
    !readOnly && { label: 'Reject…', icon: X, run: () => decision.choose('reject') },
    { label: 'Open its agent', icon: Bot, href: `/agents/${review.agentId}` },
    { label: 'All events of this request', icon: ScrollText, href: `/audit?request=${review.id}` },
  ]);
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: shortcuts of the region; every one has a button
    <div ref={region} tabIndex={-1} onKeyDown={onKeyDown} className="grid gap-5 outline-none">
      <ReviewHeader review={review} latest={latest} />
      <Banners review={review} latest={latest} edited={edited} held={held} onTakeOver={takeOver} />

      <div className="grid gap-5 xl:grid-cols-[minmax(0,1fr)_22rem] xl:grid-rows-[auto_1fr] xl:items-start">
        <div className="grid min-w-0 gap-5 xl:col-start-2">
          <VerdictBox verdict={review.verdict} />
          <Card title="Origin" description="What we know of the client, and how">
            <Dossier facts={review.snapshot.evidence} />
          </Card>
        </div>
        <div className="grid min-w-0 gap-5 xl:col-start-1 xl:row-span-2 xl:row-start-1">
          {review.lastApproval && (
            <Card
              flush
              id="difference"
              title="What differs from the last approval"
              description={`Compared with what ${review.lastApproval.label} granted`}
            >
              <Difference lines={review.difference} label="Difference to the last approval" />
            </Card>
          )}
          <ToolsCard
            review={review}
            open={open}
            readOnly={readOnly}
            narrowing={narrowing}
            choice={choice}
            onChange={setNarrowing}
          />
          <Card title="Purpose">
            <PurposeList purpose={review.snapshot.purpose} />
          </Card>
          <LifetimeCard
            review={review}
            readOnly={readOnly}
            narrowing={narrowing}
            choice={choice}
            onChange={setNarrowing}
          />
          <Card title="Conversation" id="conversation">
            <Conversation
              requestId={review.id}
              comments={latest.comments}
              canComment={canComment}
              comment={actions.comment}
            />
          </Card>
        </div>
        <div className="grid min-w-0 gap-5 xl:col-start-2">
          <Card title="Votes">
            <Votes review={latest} />
          </Card>
          <Card title="Around it">
            <Around review={review} />
          </Card>
          <Card
            title="History"
            footer={
              <span className="break-all">
                Snapshot <code className="text-2xs">{review.snapshotDigest}</code>
              </span>
            }
          >
            <History entries={latest.history} />
          </Card>
        </div>
      </div>

      {open && (
        <DecisionControls
          review={review}
          choice={choice}
          readOnly={readOnly}
          editedRevision={edited ? latest.revision : null}
          onTakeOver={takeOver}
          onChoose={decision.choose}
        />
      )}
      <DecisionDialog
        key={`${review.snapshotDigest}:${decision.decisions}`}
        verdict={decision.verdict}
        label={review.label}
        onClose={decision.cancel}
        onConfirm={decision.confirm}
        pending={decision.pending}
        problem={decision.problem}
      >
        {(decision.verdict === 'approve' || decision.verdict === 'narrow') && (
          <>
            <AskedBesideGranted
              review={review}
              kept={choice.kept.map((tool) => tool.toolId)}
              limits={narrowing.limits}
              seconds={choice.seconds}
            />
            {choice.needsSignature && (
              <p className="flex items-start gap-2 text-fg-2 text-sm">
                <Fingerprint aria-hidden className="mt-0.5 size-4 shrink-0 text-fg-3" />
                {review.signsWith === 'demo'
                  ? 'You sign exactly this, in the demo with a key it keeps for you. Outside of it a passkey signs.'
                  : 'Your passkey signs exactly this. No token is issued without that signature.'}
              </p>
            )}
          </>
        )}
        {decision.verdict === 'changes' && (
          <p className="text-fg-2 text-sm">
            {review.owner.displayName} edits the request and submits it again. Nothing is granted until then.
          </p>
        )}
        {decision.verdict === 'reject' && (
          <p className="text-fg-2 text-sm">
            {review.kind === 'new'
              ? 'The client never gets a tool from this request. It is told that it was rejected.'
              : 'The agent keeps what it has now.'}
          </p>
        )}
      </DecisionDialog>
    </div>
  );
}
