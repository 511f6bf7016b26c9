import { z } from 'zod';
import { requireRole } from '#lib/access/require.ts';
import { dataClasses } from '#lib/agents/purpose.ts';
import { type Risk, requiredApprovals, riskOf } from '#lib/agents/risk.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { resolveTools, toolChoiceSchema } from './revision.ts';
import { reviewDueSeconds } from './states.ts';
import { listApprovers } from './store.ts';
import { judgeProposal, type Verdict } from './verdict.ts';

export const previewRequestInput = z.strictObject({
  clientClass: z.enum(['interactive', 'headless service']),
  attended: z.boolean(),
  dataClass: z.enum(dataClasses),
  tools: z.array(toolChoiceSchema).max(500),
});

export type RequestPreview = {
  verdict: Verdict;
  risk: Risk;
  requiredApprovals: number;
  /** People who could decide it if it were submitted now. */
  approvers: string[];
  reviewDueSeconds: number;
};

/** What would happen to a request if it were submitted as it stands in the form. Writes nothing. */
export async function previewRequest(
  ctx: Ctx,
  input: z.output<typeof previewRequestInput>,
): Promise<RequestPreview> {
  const person = requireRole(ctx, 'owner');
  const now = ctx.clock.now();
  const tools = input.tools.length === 0 ? [] : await resolveTools(ctx.db.prisma, input.tools);
  const verdict = judgeProposal(
    {
      agentId: 'agt_preview',
      ownerId: person.personId,
      sourceId: 'src_intake',
      clientClass: input.clientClass,
      purpose: { attended: input.attended, dataClass: input.dataClass },
      tools,
    },
    now,
  );
  const risk = riskOf(tools);
  const approvers = await listApprovers(ctx.db.prisma, now);
  return {
    verdict,
    risk,
    requiredApprovals: requiredApprovals({
      tools,
      purpose: {
        dataClass: input.dataClass,
        attended: input.attended,
        task: '',
        systems: [],
        endCondition: '',
        ticket: null,
      },
    }),
    approvers: approvers
      .filter(
        (approver) =>
          approver.subject !== person.subject &&
          approver.grants.some((grant) => grant.givenBy.every((giver) => giver.subject !== person.subject)),
      )
      .map((approver) => approver.displayName),
    reviewDueSeconds: reviewDueSeconds[risk],
  };
}
