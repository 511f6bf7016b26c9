'use client';

import { Bot, MessageSquareText, Pencil, RotateCcw, ScrollText, Send, Stamp, Undo2 } from 'lucide-react';
import type { z } from 'zod';
import type { Action } from '#components/console/action.ts';
import { ActionProblemNote } from '#components/console/action-problem.tsx';
import { ConfirmAction } from '#components/console/confirm-action.tsx';
import { DigestChip } from '#components/console/copyable-id.tsx';
import { AskedGranted } from '#components/console/diff-line.tsx';
import { useLive } from '#components/console/live.ts';
import { ClassMark, OutcomeMark, RiskMark } from '#components/console/marks.tsx';
import { PageHeader } from '#components/console/page-header.tsx';
import { Countdown, RelativeTime } from '#components/console/relative-time.tsx';
import { StatePill } from '#components/console/state-pill.tsx';
import { UntrustedText } from '#components/console/untrusted-text.tsx';
import { useAction } from '#components/console/use-action.ts';
import { usePageActions } from '#components/palette/page-actions.ts';
import { Button } from '#components/ui/button.tsx';
import { Callout } from '#components/ui/callout.tsx';
import { Card } from '#components/ui/card.tsx';
import { DescriptionList } from '#components/ui/description-list.tsx';
import { LinkButton, TextLink } from '#components/ui/link-button.tsx';
import { notify } from '#components/ui/toast.tsx';
import { describeConstraint, describeSeconds } from '#lib/approvals/diff.ts';
import type { SubmittedRequest, submitRequestInput } from '#lib/approvals/submit-request.ts';
import type { RequestDetail } from '#lib/approvals/views.ts';
import type { withdrawRequestInput } from '#lib/approvals/withdraw-request.ts';
import { type CommentAction, Conversation } from './conversation.tsx';
import { History } from './history.tsx';
import { PurposeList } from './purpose-list.tsx';
import { requestQuery } from './queries.ts';
import { SummarySentence } from './summary-sentence.tsx';
import { useKeptQuery } from './use-kept-query.ts';

export type RequestActions = {
  comment: CommentAction;
  submit: Action<z.input<typeof submitRequestInput>, SubmittedRequest>;
  withdraw: Action<z.input<typeof withdrawRequestInput>, { id: string; state: 'withdrawn' }>;
};

/** A request as its owner follows it: where it stands, what was asked and granted, what to do next. */
export function RequestView({
  initial,
  canReview,
  actions,
}: {
  initial: RequestDetail;
  /** Whether the reader may open the review page of it. */
  canReview: boolean;
  actions: RequestActions;
}) {
  useLive(['requests'], { id: initial.id });
  const { data: request } = useKeptQuery<RequestDetail>(requestQuery(initial.id), initial);
  const submit = useAction(actions.submit);
  usePageActions([
    canReview &&
      request.state === 'submitted' && { label: 'Open review', icon: Stamp, href: `/review/${request.id}` },
    request.can.edit && { label: 'Edit this request', icon: Pencil, href: `/requests/${request.id}/edit` },
    { label: 'Open its agent', icon: Bot, href: `/agents/${request.agentId}` },
    { label: 'All events of this request', icon: ScrollText, href: `/audit?request=${request.id}` },
  ]);
  return (
    <div className="grid gap-5">
      <PageHeader
        title={<UntrustedText text={request.agentName} />}
        crumbs={[{ label: 'Requests', href: '/requests' }]}
        state={<StatePill state={request.state} cause={request.narrowed ? 'narrowed' : null} />}
        meta={
          <>
            <span>{request.label}</span>
            <RiskMark risk={request.risk} plain />
            <span>{kindWords[request.kind]}</span>
            <span>Owner {request.owner.displayName}</span>
            <span>
              {request.submittedAt ? 'Submitted ' : 'Drafted '}
              <RelativeTime at={request.submittedAt ?? request.createdAt} />
            </span>
            <span>Revision {request.revision}</span>
          </>
        }
        actions={
          <>
            {canReview && request.state === 'submitted' && (
              <LinkButton href={`/review/${request.id}`}>Open review</LinkButton>
            )}
            {request.can.edit && (
              <LinkButton href={`/requests/${request.id}/edit`} icon={<Pencil aria-hidden />}>
                Edit
              </LinkButton>
            )}
            {request.can.withdraw && <WithdrawButton request={request} withdraw={actions.withdraw} />}
            {request.can.submit && (
              <Button
                variant="primary"
                icon={<Send aria-hidden />}
                pending={submit.pending}
                onClick={() => submit.run({ requestId: request.id })}
              >
                Submit for approval
              </Button>
            )}
            {request.askAgainHref && (
              <LinkButton
                href={request.askAgainHref}
                variant={request.state === 'approved' ? 'secondary' : 'primary'}
                icon={<RotateCcw aria-hidden />}
              >
                {request.state === 'approved' ? 'Ask for the rest' : 'Ask again'}
              </LinkButton>
            )}
            {request.state === 'approved' && (
              <LinkButton href={`/agents/${request.agentId}`} icon={<Bot aria-hidden />}>
                Open agent
              </LinkButton>
            )}
          </>
        }
      />
      <ActionProblemNote problem={submit.problem} />
      <StandingCallout request={request} />
      <p className="max-w-[80ch] text-base">
        <SummarySentence parts={request.summaryParts} />
      </p>
      <div className="grid gap-5 xl:grid-cols-[minmax(0,1fr)_22rem] xl:items-start">
        <div className="grid min-w-0 gap-5">
          <ToolsCard request={request} />
          <Card title="Purpose">
            <PurposeList purpose={request.purpose} />
          </Card>
          <Card
            id="conversation"
            title={
              <span className="inline-flex items-center gap-2">
                <MessageSquareText aria-hidden className="size-4 text-fg-3" />
                Conversation
              </span>
            }
          >
            <Conversation
              requestId={request.id}
              comments={request.comments}
              canComment={request.can.comment}
              comment={actions.comment}
            />
          </Card>
        </div>
        <div className="grid min-w-0 gap-5">
          <Card title="Facts">
            <DescriptionList
              items={[
                { term: 'Policy', value: <OutcomeMark outcome={request.verdict.outcome} /> },
                request.state === 'submitted' && {
                  term: 'Approvals',
                  value: `${request.votes} of ${request.requiredApprovals}`,
                },
                request.state === 'submitted' &&
                  request.expiresAt !== null && {
                    term: 'Expires',
                    value: <RelativeTime at={request.expiresAt} />,
                  },
                {
                  term: 'Lifetime',
                  value: (
                    <AskedGranted
                      asked={describeSeconds(request.lifetimeSeconds)}
                      granted={describeSeconds(request.grantedLifetimeSeconds ?? request.lifetimeSeconds)}
                      changed={
                        request.grantedLifetimeSeconds !== null &&
                        request.grantedLifetimeSeconds !== request.lifetimeSeconds
                      }
                    />
                  ),
                  hint: 'from the first token',
                },
                { term: 'Connects as', value: request.clientClass },
                {
                  term: 'Snapshot',
                  value: <DigestChip digest={request.snapshotDigest} label="snapshot digest" />,
                },
                request.deputy && { term: 'Deputy', value: request.deputy.displayName },
                request.createdBy.personId !== request.owner.personId && {
                  term: 'Written by',
                  value: request.createdBy.displayName,
                },
                request.previousRequest && {
                  term: 'Follows',
                  value: (
                    <span className="inline-flex flex-wrap items-center gap-2">
                      <TextLink href={`/requests/${request.previousRequest.id}`}>
                        {request.previousRequest.label}
                      </TextLink>
                      <StatePill state={request.previousRequest.state} plain />
                    </span>
                  ),
                },
              ]}
            />
          </Card>
          <Card title="History">
            <History entries={request.history} />
          </Card>
        </div>
      </div>
    </div>
  );
}

const kindWords: Record<RequestDetail['kind'], string> = {
  new: 'New agent',
  change: 'Change of an agent',
  reinstate: 'Reinstatement',
};

const tones: Partial<Record<RequestDetail['state'], 'info' | 'success' | 'warning' | 'danger'>> = {
  'changes requested': 'warning',
  approved: 'success',
  rejected: 'danger',
};

/** Where it stands and what to do next, in the owner's words. */
function StandingCallout({ request }: { request: RequestDetail }) {
  const { decision } = request;
  const by = decision ? new Intl.ListFormat('en').format(decision.by.map((each) => each.displayName)) : '';
  const title = {
    draft: 'This is a draft',
    submitted: request.browserWaitsUntil ? 'Your client waits for this decision' : 'Waiting for a decision',
    'changes requested': `${by || 'An approver'} asks for changes`,
    approved: `${by} approved this${request.narrowed ? ', narrowed' : ''}`,
    rejected: `${by} rejected this`,
    withdrawn: 'Withdrawn',
    expired: 'Not decided in time',
  }[request.state];
  return (
    <Callout
      tone={request.missingApprover ? 'warning' : (tones[request.state] ?? 'info')}
      title={title}
      announce
    >
      {decision?.reason && (
        <p className="mb-1 text-fg">
          <UntrustedText text={decision.reason} multiline />
        </p>
      )}
      <p>
        {request.missingApprover ?? request.nextStep}
        {request.browserWaitsUntil && (
          <>
            {' '}
            <Countdown
              until={request.browserWaitsUntil}
              totalSeconds={285}
              over="The client has stopped waiting."
            />
          </>
        )}
      </p>
      {request.enough.length > 0 && (
        <div className="mt-2">
          <p className="font-medium text-fg">What would be different enough</p>
          <ul className="list-disc ps-5">
            {request.enough.map((line) => (
              <li key={line}>{line}</li>
            ))}
          </ul>
        </div>
      )}
    </Callout>
  );
}

/** Every tool asked for; what the decision took away is struck through. */
function ToolsCard({ request }: { request: RequestDetail }) {
  const servers = Map.groupBy(request.tools, (tool) => tool.serverId);
  const granted = request.tools.filter((tool) => tool.granted).length;
  return (
    <Card
      flush
      title="Tools"
      description={
        request.state === 'approved' && request.narrowed
          ? `${granted} of ${request.tools.length} granted`
          : `${request.tools.length} asked for`
      }
    >
      {[...servers.values()].map((tools) => (
        <section key={tools[0]?.serverId} aria-label={tools[0]?.server}>
          <h3 className="border-line border-b bg-sunken px-4 py-1.5 font-medium text-fg-2 text-xs">
            {tools[0]?.server}
          </h3>
          <ul>
            {tools.map((tool) => {
              const dropped = tool.granted === false;
              const limits = tool.granted ? tool.grantedConstraints : tool.constraints;
              return (
                <li
                  key={tool.toolId}
                  className="flex flex-wrap items-start justify-between gap-x-4 gap-y-1 border-line border-b px-4 py-2 last:border-b-0"
                >
                  <div className="min-w-0 flex-1 basis-56">
                    <div className="break-all font-mono text-sm">
                      {dropped ? (
                        <>
                          <span className="sr-only">Not granted: </span>
                          <s className="text-fg-3 decoration-danger">
                            <UntrustedText text={tool.name} />
                          </s>
                        </>
                      ) : (
                        <UntrustedText text={tool.name} />
                      )}
                    </div>
                    {tool.justification && (
                      <p className="text-fg-2 text-xs">
                        <UntrustedText text={tool.justification} />
                      </p>
                    )}
                    {limits.map((limit) => (
                      <p key={describeConstraint(limit)} className="text-fg-2 text-xs">
                        Only where <UntrustedText text={describeConstraint(limit)} />
                      </p>
                    ))}
                  </div>
                  <span className="flex flex-wrap items-center gap-1.5">
                    {dropped && <span className="text-danger text-xs">not granted</span>}
                    <ClassMark toolClass={tool.class} />
                    <RiskMark risk={tool.risk} />
                  </span>
                </li>
              );
            })}
          </ul>
        </section>
      ))}
    </Card>
  );
}

function WithdrawButton({
  request,
  withdraw,
}: {
  request: RequestDetail;
  withdraw: RequestActions['withdraw'];
}) {
  return (
    <ConfirmAction
      trigger={<Button icon={<Undo2 aria-hidden />}>Withdraw</Button>}
      title={`Withdraw ${request.label}?`}
      description="It is taken out of review for good. You can ask again later, with all of it filled in."
      button="Withdraw request"
      action={withdraw}
      input={() => ({ requestId: request.id })}
      onDone={() => notify({ tone: 'success', title: `${request.label} withdrawn` })}
    />
  );
}
