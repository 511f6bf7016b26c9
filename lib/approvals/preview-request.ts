import { z } from 'zod';
import { requireRole } from '#lib/access/require.ts';
import { type DataClass, dataClasses } from '#lib/agents/purpose.ts';
import { type Risk, requiredApprovals, riskOf } from '#lib/agents/risk.ts';
import type { SnapshotTool } from '#lib/agents/snapshot.ts';
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
  /** The smallest change of the form after which policy would ask less of it; null when there is none. */
  smallestChange: { text: string; outcome: 'permit' | 'needs_review' } | null;
  /** How long decisions on requests of this risk took lately, in seconds; null while there were too few to say. */
  medianDecisionSeconds: number | null;
};

/** What would happen to a request if it were submitted as it stands in the form. Writes nothing. */
export async function previewRequest(
  ctx: Ctx,
  input: z.output<typeof previewRequestInput>,
): Promise<RequestPreview> {
  const person = requireRole(ctx, 'owner');
  const now = ctx.clock.now();
  const tools = input.tools.length === 0 ? [] : await resolveTools(ctx.db.prisma, input.tools);
  const judge: Judge = (changes) =>
    judgeProposal(
      {
        agentId: 'agt_preview',
        ownerId: person.personId,
        sourceId: 'src_intake',
        clientClass: input.clientClass,
        purpose: { attended: input.attended, dataClass: input.dataClass },
        tools,
        ...changes,
      },
      now,
    );
  const verdict = judge({});
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
    smallestChange: findSmallestChange(verdict, judge, input, tools),
    medianDecisionSeconds: await readMedianDecision(ctx, risk),
  };
}

type Judge = (changes: {
  purpose?: { attended: boolean; dataClass: DataClass };
  tools?: readonly SnapshotTool[];
}) => Verdict;

const weight = { deny: 0, needs_review: 1, permit: 2 } as const;

/**
 * Tries one change at a time, from the least that is given up to the most: a person who watches, less sensitive data,
 * fewer tools; then the first two together. Every answer was judged by the policies in force, not guessed.
 */
function findSmallestChange(
  verdict: Verdict,
  judge: Judge,
  { attended, dataClass }: { attended: boolean; dataClass: DataClass },
  tools: readonly SnapshotTool[],
): RequestPreview['smallestChange'] {
  if (tools.length === 0 || verdict.outcome === 'permit') return null;
  const lower = dataClasses.slice(0, dataClasses.indexOf(dataClass)).toReversed();
  const changes: { text: string; judged: () => Verdict }[] = [];
  if (!attended)
    changes.push({
      text: 'If a person attends the agent',
      judged: () => judge({ purpose: { attended: true, dataClass } }),
    });
  for (const less of lower)
    changes.push({
      text: `If it touches no more than ${less} data`,
      judged: () => judge({ purpose: { attended, dataClass: less } }),
    });
  for (const outcome of ['permit', 'needs_review'] as const) {
    const kept = verdict.tools.filter((tool) => weight[tool.outcome] >= weight[outcome]);
    const left = verdict.tools.filter((tool) => weight[tool.outcome] < weight[outcome]);
    if (kept.length === 0 || left.length === 0) continue;
    const ids = new Set(kept.map(({ toolId }) => toolId));
    const names = left.slice(0, 3).map(({ name }) => name);
    const more = left.length > 3 ? [`${left.length - 3} more`] : [];
    changes.push({
      text: `Without ${new Intl.ListFormat('en').format([...names, ...more])}`,
      judged: () => judge({ tools: tools.filter(({ toolId }) => ids.has(toolId)) }),
    });
  }
  if (!attended)
    for (const less of lower)
      changes.push({
        text: `If a person attends it and it touches no more than ${less} data`,
        judged: () => judge({ purpose: { attended: true, dataClass: less } }),
      });
  let best: RequestPreview['smallestChange'] = null;
  for (const { text, judged } of changes) {
    const { outcome } = judged();
    if (outcome === 'deny' || weight[outcome] <= weight[best?.outcome ?? verdict.outcome]) continue;
    best = {
      outcome,
      text: `${text}, ${outcome === 'permit' ? 'it needs no approver.' : 'policy no longer refuses it and an approver decides.'}`,
    };
  }
  return best;
}

/** Fewer decisions than this say nothing, and could tell about one person's day. */
const fewestDecisions = 3;
const latestDecisions = 100;

async function readMedianDecision(ctx: Ctx, risk: Risk): Promise<number | null> {
  const decided = await ctx.db.prisma.registrationRequest.findMany({
    where: {
      risk,
      state: { in: ['approved', 'rejected'] },
      submittedAt: { not: null },
      decidedAt: { not: null },
    },
    orderBy: { id: 'desc' },
    take: latestDecisions,
    select: { submittedAt: true, decidedAt: true },
  });
  if (decided.length < fewestDecisions) return null;
  const seconds = decided
    .map(({ submittedAt, decidedAt }) => ((decidedAt?.getTime() ?? 0) - (submittedAt?.getTime() ?? 0)) / 1000)
    .sort((a, b) => a - b);
  return Math.max(0, Math.round(seconds[Math.floor(seconds.length / 2)] ?? 0));
}
