'use client';

import { Ban, Check, MessageSquareWarning, Scissors, X } from 'lucide-react';
import { type KeyboardEvent, useRef, useState } from 'react';
import type { z } from 'zod';
import type { Action } from '#components/console/action.ts';
import { DecisionBar } from '#components/console/decision-bar.tsx';
import { AskedGranted } from '#components/console/diff-line.tsx';
import { useLive } from '#components/console/live.ts';
import { RiskMark } from '#components/console/marks.tsx';
import { PageHeader } from '#components/console/page-header.tsx';
import { Countdown, RelativeTime } from '#components/console/relative-time.tsx';
import { StatePill } from '#components/console/state-pill.tsx';
import { UntrustedText } from '#components/console/untrusted-text.tsx';
import { useAction } from '#components/console/use-action.ts';
import { Dossier } from '#components/evidence/dossier.tsx';
import { type CommentAction, Conversation } from '#components/requests/conversation.tsx';
import { History } from '#components/requests/history.tsx';
import { LifetimeField, toLifetimeDraft } from '#components/requests/lifetime-field.tsx';
import { PurposeList } from '#components/requests/purpose-list.tsx';
import { reviewQuery } from '#components/requests/queries.ts';
import { SummarySentence } from '#components/requests/summary-sentence.tsx';
import { useKeptQuery } from '#components/requests/use-kept-query.ts';
import { Button } from '#components/ui/button.tsx';
import { Callout } from '#components/ui/callout.tsx';
import { Card } from '#components/ui/card.tsx';
import { Kbd } from '#components/ui/kbd.tsx';
import { LinkButton, TextLink } from '#components/ui/link-button.tsx';
import { Table, TableCell, TableHeader, TableRow } from '#components/ui/table.tsx';
import { notify } from '#components/ui/toast.tsx';
import type { Constraint } from '#lib/agents/snapshot.ts';
import type { ApprovedRequest, approveRequestInput } from '#lib/approvals/approve-request.ts';
import { describeConstraint, describeSeconds, diffSnapshots } from '#lib/approvals/diff.ts';
import type { rejectRequestInput } from '#lib/approvals/reject-request.ts';
import type { requestChangesInput } from '#lib/approvals/request-changes.ts';
import type { Review } from '#lib/approvals/views.ts';
import { DecisionDialog, type Verdict } from './decision-dialog.tsx';
import { Difference } from './difference.tsx';
import { ToolReview } from './tool-review.tsx';
import { VerdictBox } from './verdict-box.tsx';

export type ReviewActions = {
  approve: Action<z.input<typeof approveRequestInput>, ApprovedRequest>;
  reject: Action<z.input<typeof rejectRequestInput>, { id: string; state: 'rejected' }>;
  requestChanges: Action<z.input<typeof requestChangesInput>, { id: string; state: 'changes requested' }>;
  comment: CommentAction;
};

type Narrowing = {
  dropped: ReadonlySet<string>;
  limits: Readonly<Record<string, readonly Constraint[]>>;
  lifetime: ReturnType<typeof toLifetimeDraft>;
};

const startOf = (review: Review): Narrowing => ({
  dropped: new Set(),
  limits: {},
  lifetime: toLifetimeDraft(review.proposed.lifetimeSeconds),
});

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
  const [narrowing, setNarrowing] = useState<Narrowing>(() => startOf(initial));
  const [verdict, setVerdict] = useState<Verdict | null>(null);
  const [decisions, setDecisions] = useState(0);
  const approve = useAction(actions.approve);
  const reject = useAction(actions.reject);
  const changes = useAction(actions.requestChanges);
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

  const proposed = new Map(review.proposed.tools.map((tool) => [tool.toolId, tool.constraints]));
  const kept = review.toolLines.filter(
    (tool) => proposed.has(tool.toolId) && !narrowing.dropped.has(tool.toolId),
  );
  const limited = kept.some((tool) => (narrowing.limits[tool.toolId] ?? []).length > 0);
  const seconds = narrowing.lifetime.seconds ?? 0;
  const shorter = seconds < review.proposed.lifetimeSeconds;
  const narrowed = kept.length < proposed.size || limited || shorter;
  const blocked = blockedReason(review, kept, seconds, narrowing);

  function takeOver() {
    setHeld(latest);
    setNarrowing(startOf(latest));
  }

  function decide(reason: string) {
    const { id: requestId, snapshotDigest, label } = review;
    const done = (title: string) => () => {
      setVerdict(null);
      setDecisions((count) => count + 1);
      notify({ tone: 'success', title });
      region.current?.focus();
    };
    if (verdict === 'reject') reject.run({ requestId, snapshotDigest, reason }, done(`${label} rejected`));
    else if (verdict === 'changes') {
      changes.run({ requestId, snapshotDigest, reason }, done(`${label} sent back for changes`));
    } else if (verdict) {
      approve.run(
        {
          requestId,
          snapshotDigest,
          comment: reason,
          ...(narrowed
            ? {
                toolLines: kept.map((tool) => ({
                  toolId: tool.toolId,
                  constraints: [
                    ...(proposed.get(tool.toolId) ?? []),
                    ...(narrowing.limits[tool.toolId] ?? []),
                  ],
                })),
                lifetimeSeconds: seconds,
              }
            : {}),
        },
        (output) =>
          done(
            output.state === 'approved'
              ? `${label} approved`
              : `${label}: your approval counts, ${output.requiredApprovals - output.votes} more needed`,
          )(),
      );
    }
  }

  const choose = (next: Verdict) => {
    approve.clear();
    reject.clear();
    changes.clear();
    setVerdict(next);
  };
  const canApprove = !readOnly && blocked === null;

  /** Single keys act only while the focus is in this region and nothing is being typed (WCAG 2.1.4). */
  function onKeyDown(event: KeyboardEvent<HTMLDivElement>) {
    if (event.metaKey || event.ctrlKey || event.altKey || verdict !== null) return;
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
    const next: Verdict | null =
      key === 'a' || key === '1'
        ? canApprove
          ? narrowed
            ? 'narrow'
            : 'approve'
          : null
        : key === 'r' || key === '2'
          ? 'changes'
          : key === 'd' || key === '3'
            ? 'reject'
            : null;
    if (key === 'e') {
      event.preventDefault();
      document.getElementById('tools')?.querySelector<HTMLElement>('[role="checkbox"]')?.focus();
    }
    if (next) {
      event.preventDefault();
      choose(next);
    }
  }

  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: shortcuts of the region; every one has a button
    <div ref={region} tabIndex={-1} onKeyDown={onKeyDown} className="grid gap-5 outline-none">
      <PageHeader
        title={<UntrustedText text={review.agentName} />}
        crumbs={[{ label: 'Review', href: '/review' }]}
        state={
          <>
            <StatePill state={latest.state} cause={latest.narrowed ? 'narrowed' : null} />
            <RiskMark risk={review.risk} />
          </>
        }
        meta={
          <>
            <TextLink href={`/requests/${review.id}`}>{review.label}</TextLink>
            <span>{kindWords[review.kind]}</span>
            <span>Owner {review.owner.displayName}</span>
            <span>{review.clientClass}</span>
            <span>
              Submitted <RelativeTime at={review.submittedAt} />
            </span>
            <span>Revision {review.revision}</span>
            {open && review.reviewDueAt && (
              <span>
                Due <RelativeTime at={review.reviewDueAt} />
              </span>
            )}
            {open && latest.browserWaitsUntil && (
              <span className="text-violet">
                Browser waits,{' '}
                <Countdown until={latest.browserWaitsUntil} totalSeconds={285} over="gave up" />
              </span>
            )}
          </>
        }
      />
      <p className="z-10 -mx-4 border-line border-b bg-canvas px-4 py-2.5 text-base sm:-mx-6 sm:px-6 lg:sticky lg:top-(--header-height)">
        <span className="block max-w-[100ch]">
          <SummarySentence parts={review.summaryParts} />
        </span>
      </p>
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
          <Card
            flush
            id="tools"
            title="Tools"
            description={
              readOnly || review.kind === 'reinstate'
                ? `${review.toolLines.length} asked for`
                : `${kept.length} of ${review.toolLines.length} kept. Clear a box to leave a tool out.`
            }
            actions={
              narrowed &&
              !readOnly && (
                <Button size="sm" variant="ghost" onClick={() => setNarrowing(startOf(review))}>
                  Back to as asked
                </Button>
              )
            }
          >
            {[...Map.groupBy(review.toolLines, (tool) => tool.serverId).values()].map((tools) => (
              <section key={tools[0]?.serverId} aria-label={tools[0]?.server}>
                <h3 className="border-line border-b bg-sunken px-4 py-1.5 font-medium text-fg-2 text-xs">
                  {tools[0]?.server}
                </h3>
                <ul>
                  {tools.map((tool) => (
                    <ToolReview
                      key={tool.toolId}
                      tool={tool}
                      isNew={review.lastApproval !== null && tool.change === 'added'}
                      kept={
                        open
                          ? proposed.has(tool.toolId) && !narrowing.dropped.has(tool.toolId)
                          : (review.grantedTools?.includes(tool.toolId) ?? true)
                      }
                      takenEarlier={!proposed.has(tool.toolId)}
                      limits={narrowing.limits[tool.toolId] ?? []}
                      readOnly={readOnly || review.kind === 'reinstate'}
                      onKeep={(keep) => {
                        const dropped = new Set(narrowing.dropped);
                        if (keep) dropped.delete(tool.toolId);
                        else dropped.add(tool.toolId);
                        setNarrowing({ ...narrowing, dropped });
                      }}
                      onLimits={(limits) =>
                        setNarrowing({ ...narrowing, limits: { ...narrowing.limits, [tool.toolId]: limits } })
                      }
                    />
                  ))}
                </ul>
              </section>
            ))}
          </Card>
          <Card title="Purpose">
            <PurposeList purpose={review.snapshot.purpose} />
          </Card>
          <Card
            title="Lifetime"
            description={`${describeSeconds(review.lifetimeSeconds)} asked for, counted from the first token`}
          >
            {readOnly || review.kind === 'reinstate' ? (
              <p className="text-sm">
                <AskedGranted
                  asked={describeSeconds(review.lifetimeSeconds)}
                  granted={describeSeconds(review.grantedLifetimeSeconds ?? review.proposed.lifetimeSeconds)}
                  changed={
                    (review.grantedLifetimeSeconds ?? review.proposed.lifetimeSeconds) !==
                    review.lifetimeSeconds
                  }
                />
              </p>
            ) : (
              <LifetimeField
                value={narrowing.lifetime}
                onChange={(lifetime) => setNarrowing({ ...narrowing, lifetime })}
                maxSeconds={review.proposed.lifetimeSeconds}
                error={
                  seconds > review.proposed.lifetimeSeconds
                    ? `At most ${describeSeconds(review.proposed.lifetimeSeconds)}: an approval can only shorten it.`
                    : null
                }
              />
            )}
          </Card>
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
        <DecisionBar
          status={
            <BarStatus
              review={review}
              edited={edited}
              kept={kept.length}
              seconds={seconds}
              narrowed={narrowed}
              blocked={blocked}
            />
          }
        >
          {readOnly ? (
            edited && (
              <Button variant="primary" onClick={takeOver}>
                Read revision {latest.revision}
              </Button>
            )
          ) : (
            <>
              <Button variant="danger-outline" icon={<X aria-hidden />} onClick={() => choose('reject')}>
                Reject <KeyHint>D</KeyHint>
              </Button>
              <Button icon={<MessageSquareWarning aria-hidden />} onClick={() => choose('changes')}>
                Request changes <KeyHint>R</KeyHint>
              </Button>
              {narrowed ? (
                <Button
                  variant="primary"
                  icon={<Scissors aria-hidden />}
                  className="max-sm:col-span-2"
                  disabledReason={blocked}
                  onClick={() => choose('narrow')}
                >
                  Approve narrowed <KeyHint>A</KeyHint>
                </Button>
              ) : (
                <Button
                  variant="primary"
                  icon={<Check aria-hidden />}
                  className="max-sm:col-span-2"
                  disabledReason={blocked}
                  onClick={() => choose('approve')}
                >
                  Approve as asked <KeyHint>A</KeyHint>
                </Button>
              )}
            </>
          )}
        </DecisionBar>
      )}
      <DecisionDialog
        key={`${review.snapshotDigest}:${decisions}`}
        verdict={verdict}
        label={review.label}
        onClose={() => setVerdict(null)}
        onConfirm={decide}
        pending={approve.pending || reject.pending || changes.pending}
        problem={approve.problem ?? reject.problem ?? changes.problem}
      >
        {(verdict === 'approve' || verdict === 'narrow') && (
          <AskedBesideGranted
            review={review}
            kept={kept.map((tool) => tool.toolId)}
            limits={narrowing.limits}
            seconds={seconds}
          />
        )}
        {verdict === 'changes' && (
          <p className="text-fg-2 text-sm">
            {review.owner.displayName} edits the request and submits it again. Nothing is granted until then.
          </p>
        )}
        {verdict === 'reject' && (
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

const kindWords: Record<Review['kind'], string> = {
  new: 'New agent',
  change: 'Change of an agent',
  reinstate: 'Reinstatement',
};

function KeyHint({ children }: { children: string }) {
  return (
    <span aria-hidden className="max-lg:hidden">
      <Kbd>{children}</Kbd>
    </span>
  );
}

/** Why this cannot be approved as it is chosen now, although the reader may decide. */
function blockedReason(
  review: Review,
  kept: readonly Review['toolLines'][number][],
  seconds: number,
  narrowing: Narrowing,
): string | null {
  if (kept.length === 0) return 'Keep at least one tool, or reject the request.';
  if (narrowing.lifetime.seconds === null || seconds < 60) return 'Choose a lifetime of at least a minute.';
  if (seconds > review.proposed.lifetimeSeconds) return 'The lifetime is longer than asked.';
  const refused = kept.filter((tool) => tool.verdict.outcome === 'deny');
  if (refused.length > 0)
    return `Policy refuses ${refused.map((tool) => tool.name).join(', ')}. Leave it out.`;
  const staleClient = review.stale.find((fact) => fact.what === 'client');
  if (staleClient) return `${staleClient.text}. Ask the owner for a new revision.`;
  const stale = kept.filter((tool) => review.stale.some((fact) => fact.id === tool.toolId));
  if (stale.length > 0 && review.kind !== 'reinstate') {
    return `${stale.map((tool) => tool.name).join(', ')} changed since this was written. Leave it out, or ask for a new revision.`;
  }
  return null;
}

function BarStatus({
  review,
  edited,
  kept,
  seconds,
  narrowed,
  blocked,
}: {
  review: Review;
  edited: boolean;
  kept: number;
  seconds: number;
  narrowed: boolean;
  blocked: string | null;
}) {
  if (edited) return <>This was edited while you read it. Decide on the new words.</>;
  if (review.cannotDecide) {
    return (
      <span className="inline-flex items-start gap-1.5">
        <Ban aria-hidden className="mt-0.5 size-4 shrink-0 text-fg-3" />
        {review.cannotDecide}
      </span>
    );
  }
  if (blocked) return <span className="text-warning">{blocked}</span>;
  return (
    <>
      {narrowed ? 'Narrowed: ' : 'As asked: '}
      <AskedGranted
        asked={`${review.toolLines.length} tools`}
        granted={`${kept} ${kept === 1 ? 'tool' : 'tools'}`}
        changed={kept !== review.toolLines.length}
      />
      {' for '}
      <AskedGranted
        asked={describeSeconds(review.lifetimeSeconds)}
        granted={describeSeconds(seconds)}
        changed={seconds !== review.lifetimeSeconds}
      />
      {review.requiredApprovals > 1 && (
        <span className="block text-fg-3 text-xs">
          {review.votes} of {review.requiredApprovals} approvals
        </span>
      )}
    </>
  );
}

function Banners({
  review,
  latest,
  edited,
  held,
  onTakeOver,
}: {
  review: Review;
  latest: Review;
  edited: boolean;
  held: Review;
  onTakeOver: () => void;
}) {
  const { decision } = latest;
  const names = decision ? new Intl.ListFormat('en').format(decision.by.map((each) => each.displayName)) : '';
  const words: Partial<Record<Review['state'], string>> = {
    approved: `${names} approved this${latest.narrowed ? ', narrowed' : ''}`,
    rejected: `${names} rejected this`,
    'changes requested': `${names} sent this back for changes`,
    withdrawn: `${review.owner.displayName} withdrew this`,
    expired: 'This expired before anybody decided it',
    draft: 'This is still a draft',
  };
  const title = words[latest.state];
  return (
    <>
      {title && (
        <Callout
          tone={latest.state === 'approved' ? 'success' : latest.state === 'rejected' ? 'danger' : 'info'}
          title={
            <>
              {title} <RelativeTime at={decision?.at ?? latest.decidedAt} className="font-normal text-fg-2" />
            </>
          }
          announce
          actions={
            <LinkButton size="sm" href="/review">
              Back to the queue
            </LinkButton>
          }
        >
          {decision?.reason && <UntrustedText text={decision.reason} multiline />}
        </Callout>
      )}
      {edited && (
        <Card
          flush
          title={`Edited while you read it: revision ${latest.revision}`}
          actions={
            latest.state === 'submitted' && (
              <Button size="sm" variant="primary" onClick={onTakeOver}>
                Read revision {latest.revision}
              </Button>
            )
          }
        >
          <Difference lines={diffSnapshots(held.snapshot, latest.snapshot)} label="What the edit changed" />
        </Card>
      )}
      {latest.state === 'submitted' && latest.missingApprover && (
        <Callout tone="warning" title="Nobody can decide this">
          {latest.missingApprover}
        </Callout>
      )}
      {latest.state === 'submitted' && review.stale.length > 0 && (
        <Callout tone="warning" title="Not as it was when this was written">
          {review.stale.map((fact) => fact.text).join('. ')}.
        </Callout>
      )}
    </>
  );
}

/** The two sides of an approval: every tool and the time, asked and granted. */
function AskedBesideGranted({
  review,
  kept,
  limits,
  seconds,
}: {
  review: Review;
  kept: readonly string[];
  limits: Narrowing['limits'];
  seconds: number;
}) {
  return (
    <Table label="Asked and granted" className="min-w-0">
      <thead>
        <tr>
          <TableHeader>Asked</TableHeader>
          <TableHeader>Granted</TableHeader>
        </tr>
      </thead>
      <tbody>
        {review.toolLines.map((tool) => {
          const stays = kept.includes(tool.toolId);
          const added = limits[tool.toolId] ?? [];
          return (
            <TableRow key={tool.toolId}>
              <TableCell>
                <span className="break-all font-mono text-xs">
                  <UntrustedText text={tool.name} />
                </span>
                <span className="ml-2 text-fg-3 text-xs">{tool.class}</span>
              </TableCell>
              <TableCell>
                {stays ? (
                  <span className="break-all font-mono text-xs">
                    <UntrustedText text={tool.name} />
                    {added.map((limit) => (
                      <span key={describeConstraint(limit)} className="block font-sans text-success">
                        only where <UntrustedText text={describeConstraint(limit)} />
                      </span>
                    ))}
                  </span>
                ) : (
                  <span className="text-danger text-xs">
                    <s className="break-all font-mono">{tool.name}</s> left out
                  </span>
                )}
              </TableCell>
            </TableRow>
          );
        })}
        <TableRow>
          <TableCell>{describeSeconds(review.lifetimeSeconds)}</TableCell>
          <TableCell>
            <span className={seconds < review.lifetimeSeconds ? 'font-medium' : undefined}>
              {describeSeconds(seconds)}
            </span>
          </TableCell>
        </TableRow>
      </tbody>
    </Table>
  );
}

const verdictWords = {
  approve: 'approved as asked',
  'approve narrowed': 'approved, narrowed',
  'request changes': 'asked for changes',
  reject: 'rejected',
} as const;

function Votes({ review }: { review: Review }) {
  const list = new Intl.ListFormat('en', { type: 'disjunction' });
  return (
    <div className="grid gap-3 text-sm">
      <p>
        {review.votes} of {review.requiredApprovals}{' '}
        {review.requiredApprovals === 1 ? 'approval' : 'approvals'}
      </p>
      {review.votesCast.length > 0 && (
        <ul className="grid gap-2">
          {review.votesCast.map((vote) => (
            <li key={`${vote.voter.personId}:${vote.decidedAt}`}>
              <span className="font-medium">{vote.voter.displayName}</span> {verdictWords[vote.verdict]}{' '}
              <RelativeTime at={vote.decidedAt} className="text-fg-3 text-xs" />
              {!vote.current && <span className="text-fg-3 text-xs"> on revision {vote.revision}</span>}
              {vote.reason && (
                <p className="text-fg-2 text-xs">
                  <UntrustedText text={vote.reason} multiline />
                </p>
              )}
            </li>
          ))}
        </ul>
      )}
      {review.state === 'submitted' && review.approvers.length > 0 && (
        <p className="text-fg-3 text-xs">
          Can be decided by {list.format(review.approvers.slice(0, 5).map((each) => each.displayName))}
          {review.approvers.length > 5 ? ` and ${review.approvers.length - 5} more` : ''}.
        </p>
      )}
    </div>
  );
}

function Around({ review }: { review: Review }) {
  const { ownerAgents, refusedBefore } = review.ambient;
  return (
    <div className="grid gap-2.5 text-sm">
      <p className="text-fg-2">
        {review.owner.displayName} owns{' '}
        {ownerAgents === 0
          ? 'no active agent'
          : ownerAgents === 1
            ? 'one active agent'
            : `${ownerAgents} active agents`}
        .
        {refusedBefore > 0 && (
          <span className="text-warning">
            {' '}
            The same software was rejected {refusedBefore === 1 ? 'once' : `${refusedBefore} times`} before.
          </span>
        )}
      </p>
      {review.lineage.length === 0 ? (
        <p className="text-fg-3 text-xs">No earlier request about it.</p>
      ) : (
        <ul aria-label="Earlier requests" className="grid gap-1.5">
          {review.lineage.map((entry) => (
            <li key={entry.id} className="flex flex-wrap items-center gap-x-2">
              <TextLink href={`/requests/${entry.id}`}>{entry.label}</TextLink>
              <StatePill state={entry.state} plain />
              <RelativeTime at={entry.decidedAt ?? entry.createdAt} className="text-fg-3 text-xs" />
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}
