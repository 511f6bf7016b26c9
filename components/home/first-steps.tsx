import { CircleCheck, CircleDashed } from 'lucide-react';
import type { ReactNode } from 'react';
import { Card } from '#components/ui/card.tsx';
import { LinkButton } from '#components/ui/link-button.tsx';

export type FirstSteps = {
  server: boolean;
  confirmed: boolean;
  guard: boolean;
  owner: boolean;
  approver: boolean;
  request: boolean;
  approval: boolean;
};

type Step = { key: keyof FirstSteps; title: string; why: string; action: { label: string; href: string } };

const steps: readonly Step[] = [
  {
    key: 'server',
    title: 'Add an MCP server and read its tools',
    why: 'Agents are given exact tools; they come from the server’s own list.',
    action: { label: 'Add server', href: '/servers/new' },
  },
  {
    key: 'guard',
    title: 'Put a guard in front of it',
    why: 'It lets approved calls through and refuses everything else.',
    action: { label: 'Add guard', href: '/guards' },
  },
  {
    key: 'confirmed',
    title: 'Confirm what its tools do',
    why: 'Until somebody looks, each counts as unclassified and high risk.',
    action: { label: 'Confirm tools', href: '/servers?show=unconfirmed' },
  },
  {
    key: 'owner',
    title: 'Make somebody an owner',
    why: 'Owners request agents and answer for them.',
    action: { label: 'Invite', href: '/people' },
  },
  {
    key: 'approver',
    title: 'Make somebody else an approver',
    why: 'Nobody approves their own, so two people are needed.',
    action: { label: 'Invite', href: '/people' },
  },
  {
    key: 'request',
    title: 'See the first request come in',
    why: 'Point an MCP client at the guarded server and claim it in the browser, or file a request.',
    action: { label: 'Request an agent', href: '/requests/new' },
  },
  {
    key: 'approval',
    title: 'See it decided',
    why: 'From then on the agent calls exactly what was approved.',
    action: { label: 'Review queue', href: '/review' },
  },
];

export function isComplete(done: FirstSteps): boolean {
  return steps.every((step) => done[step.key]);
}

/** The way to the first governed call, with what is done already ticked. */
export function FirstStepsCard({ steps: done, isOwner }: { steps: FirstSteps; isOwner: boolean }) {
  const count = steps.filter((step) => done[step.key]).length;
  const next = steps.find((step) => !done[step.key]);
  return (
    <Card flush title="First steps" description={`${count} of ${steps.length} done`}>
      <ol>
        {steps.map((step) => (
          <li
            key={step.key}
            className="flex flex-wrap items-center gap-x-3 gap-y-2 border-line border-b px-4 py-2.5 text-sm last:border-b-0"
          >
            <Mark done={done[step.key]} />
            <div className="min-w-0 flex-1 basis-56">
              <div className={done[step.key] ? 'text-fg-2' : 'font-medium'}>{step.title}</div>
              {!done[step.key] && <div className="text-fg-3 text-xs">{step.why}</div>}
            </div>
            {!done[step.key] && (step.key !== 'request' || isOwner) && (
              <LinkButton size="sm" variant={step === next ? 'primary' : 'secondary'} href={step.action.href}>
                {step.action.label}
              </LinkButton>
            )}
          </li>
        ))}
      </ol>
    </Card>
  );
}

function Mark({ done }: { done: boolean }): ReactNode {
  return done ? (
    <CircleCheck role="img" aria-label="Done" className="size-4 shrink-0 text-success" />
  ) : (
    <CircleDashed role="img" aria-label="To do" className="size-4 shrink-0 text-fg-3" />
  );
}
