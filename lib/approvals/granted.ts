import { z } from 'zod';
import {
  checkSubset,
  constraintSchema,
  lifetimeSecondsSchema,
  type NotSubset,
  narrow,
  type Snapshot,
} from '#lib/agents/snapshot.ts';
import { Invalid } from '#lib/platform/errors.ts';
import { approvalsOf } from './decision.ts';
import { describeSeconds } from './diff.ts';
import type { LoadedRequest } from './store.ts';

/** A tool that stays: as the review page lists it, by `toolId` or by server and name; further constraints add up. */
const keptToolSchema = z.object({
  toolId: z.string().max(64).optional(),
  serverId: z.string().max(64).optional(),
  name: z.string().max(512).optional(),
  constraints: z.array(constraintSchema).max(32).optional(),
});

export const narrowingFields = {
  /** The tools that stay, when not all do. Left out: as asked. */
  toolLines: z
    .array(z.union([z.string().max(512), keptToolSchema]))
    .min(1, 'Keep at least one tool, or reject the request.')
    .max(500)
    .optional(),
  lifetimeSeconds: lifetimeSecondsSchema.optional(),
};
type Narrowed = z.output<z.ZodObject<typeof narrowingFields>>;

/** The snapshot this approver grants: what earlier votes left, less what they take out. `Invalid` names what is not a subset. */
export function deriveGranted(request: LoadedRequest, input: Narrowed): Snapshot {
  const earlier = approvalsOf(request).at(-1);
  const proposed = (earlier?.granted as Snapshot | undefined) ?? request.revision.snapshot;
  if (input.toolLines === undefined && input.lifetimeSeconds === undefined) return proposed;
  if (request.kind === 'reinstate') {
    throw new Invalid(
      'A reinstatement gives back what was approved. Narrow it with a change request afterwards.',
    );
  }
  const keep = input.toolLines?.map((line, index) => {
    const wanted = typeof line === 'string' ? { toolId: line } : line;
    const matches = proposed.tools.filter(
      (tool) =>
        (wanted.toolId !== undefined
          ? tool.toolId === wanted.toolId || tool.name === wanted.toolId
          : tool.name === wanted.name) &&
        (wanted.serverId === undefined || tool.serverId === wanted.serverId),
    );
    const [tool] = matches;
    if (!tool || matches.length > 1) {
      const message = tool
        ? 'More than one server has a tool of this name; name the serverId too.'
        : 'This tool was not asked for. An approval can only take away.';
      throw new Invalid(message, { issues: [{ path: `toolLines.${index}`, message }] });
    }
    return { toolId: tool.toolId, constraints: typeof line === 'string' ? undefined : line.constraints };
  });
  const granted = narrow(proposed, { keep, lifetimeSeconds: input.lifetimeSeconds });
  const subset = checkSubset(granted, proposed);
  if (!subset.ok) {
    const message = describeNotSubset(subset.error, proposed);
    const path = subset.error.tag === 'lifetime_longer' ? 'lifetimeSeconds' : 'toolLines';
    throw new Invalid(message, { issues: [{ path, message }] });
  }
  return granted;
}

function describeNotSubset(problem: NotSubset, asked: Snapshot): string {
  switch (problem.tag) {
    case 'lifetime_longer':
      return `At most ${describeSeconds(asked.lifetimeSeconds)} was asked for. An approval can only shorten it.`;
    case 'tool_repeated':
      return `${problem.name} is listed twice.`;
    case 'tool_not_asked':
    case 'tool_altered':
    case 'constraint_dropped':
      return `${problem.name} is not what was asked for. An approval can only take away.`;
    case 'facts_altered':
      return 'An approval can only take away tools and time.';
  }
}
