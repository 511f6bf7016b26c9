'use client';

import { UntrustedText } from '#components/console/untrusted-text.tsx';
import { Button } from '#components/ui/button.tsx';
import { Dialog, DialogClose } from '#components/ui/dialog.tsx';
import { LinkButton, TextLink } from '#components/ui/link-button.tsx';
import type { EndingApproval } from '#lib/agents/read-expiry.ts';

/** The next step for each agent: its owner's request, or who else can make it. */
export function AskForTime({
  approvals,
  open,
  onOpenChange,
}: {
  /** One of each agent. */
  approvals: readonly EndingApproval[];
  open: boolean;
  onOpenChange: (open: boolean) => void;
}) {
  return (
    <Dialog
      open={open}
      onOpenChange={onOpenChange}
      title="Ask for more time"
      description="Each agent’s owner asks for a change that names what it should have from then on; somebody else decides it. Before the end: an expired agent cannot be changed any more."
      footer={
        <DialogClose>
          <Button>Close</Button>
        </DialogClose>
      }
    >
      <ul className="grid gap-1">
        {approvals.map(({ agent, owner, mayAsk }) => (
          <li
            key={agent.id}
            className="flex flex-wrap items-center justify-between gap-x-3 gap-y-1 border-line border-b py-1.5 text-sm last:border-b-0"
          >
            <span className="min-w-0 font-medium">
              <UntrustedText text={agent.name} />
            </span>
            {mayAsk ? (
              <LinkButton size="sm" href={`/requests/new?agent=${agent.id}`}>
                Ask
                <span className="sr-only"> for {agent.name}</span>
              </LinkButton>
            ) : agent.state === 'suspended' ? (
              <TextLink href={`/agents/${agent.id}`} className="text-sm">
                Suspended: reinstate it first
              </TextLink>
            ) : (
              <span className="text-fg-2 text-xs">
                <UntrustedText text={owner.name} /> or a deputy can ask
              </span>
            )}
          </li>
        ))}
      </ul>
    </Dialog>
  );
}
