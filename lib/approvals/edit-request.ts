import { z } from 'zod';
import { requireRole } from '#lib/access/require.ts';
import { recordEvent } from '#lib/audit/record.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { notifyChange, withTransaction } from '#lib/platform/db.ts';
import { Invalid, PreconditionFailed } from '#lib/platform/errors.ts';
import { diffSnapshots } from './diff.ts';
import { requireOwnRequest } from './own-request.ts';
import { type RequestContent, requestContentFields, toolChoiceSchema, writeRevision } from './revision.ts';
import { loadVisible, moveRequest, requireMove } from './store.ts';
import { requireNotDenied } from './submit-request.ts';
import type { Verdict } from './verdict.ts';

export const editRequestFields = {
  agentName: requestContentFields.agentName.optional(),
  deputyId: z.string().max(64).nullable().optional(),
  purpose: requestContentFields.purpose.optional(),
  lifetimeSeconds: requestContentFields.lifetimeSeconds.optional(),
  tools: z.array(toolChoiceSchema).min(1, 'Choose at least one tool.').max(500).optional(),
  /** The digest the edit was made on; when given, an edit in between is refused instead of overwritten. */
  snapshotDigest: z.string().max(128).optional(),
};
export const editRequestInput = z.strictObject({ requestId: z.string().max(64), ...editRequestFields });

export type EditedRequest = {
  id: string;
  number: number;
  state: string;
  revision: number;
  snapshotDigest: string;
  verdict: Verdict;
};

/**
 * Writes the next revision; members left out stay as they are. A request that already waits keeps waiting, with the
 * new words: votes and open review pages are about the old ones, whose digest no decision can name any more.
 */
export async function editRequest(
  ctx: Ctx,
  input: z.output<typeof editRequestInput>,
): Promise<EditedRequest> {
  requireRole(ctx, 'owner');
  return withTransaction(ctx, async (tx) => {
    const request = await loadVisible(tx, ctx, input.requestId, { lock: true });
    requireOwnRequest(ctx, request);
    const state = requireMove(request, 'edit');
    if (request.kind === 'reinstate') {
      throw new Invalid('A request to reinstate asks for what was approved before; it has nothing to edit.');
    }
    const before = request.revision;
    if (input.snapshotDigest !== undefined && input.snapshotDigest !== before.snapshotDigest) {
      throw new PreconditionFailed('Somebody edited this request since you opened it.', {
        snapshotDigest: before.snapshotDigest,
        revision: before.number,
      });
    }
    const content: RequestContent = {
      agentName: input.agentName ?? before.snapshot.agent.name,
      deputyId: input.deputyId === undefined ? (before.snapshot.deputy?.personId ?? null) : input.deputyId,
      purpose: input.purpose ?? before.snapshot.purpose,
      lifetimeSeconds: input.lifetimeSeconds ?? before.snapshot.lifetimeSeconds,
      tools:
        input.tools ??
        before.snapshot.tools.map(({ toolId, constraints, justification, toolSetVersionId }) => ({
          toolId,
          constraints,
          justification,
          toolSetVersionId,
        })),
    };
    const number = request.currentRevision + 1;
    const written = await writeRevision(tx, ctx, { request, agentId: request.agentId, number, content });
    // In front of approvers already: what policy refuses must not slip in by an edit.
    if (state === 'submitted') requireNotDenied(written.verdict, written.snapshot.tools);
    await moveRequest(tx, request, {
      state,
      currentRevision: number,
      risk: written.risk,
      requiredApprovals: written.requiredApprovals,
    });
    await tx.agent.updateMany({
      where: { id: request.agentId, state: 'pending' },
      data: { name: content.agentName, deputyId: content.deputyId },
    });
    const changes = diffSnapshots(before.snapshot, written.snapshot);
    await recordEvent(tx, ctx, {
      kind: 'request.edit',
      subjectId: request.id,
      agentId: request.agentId,
      requestRef: request.id,
      before: { revision: before.number, snapshotDigest: before.snapshotDigest },
      after: { revision: number, snapshotDigest: written.snapshotDigest, state },
      data: {
        changes: changes.map(({ label, change, effect, before: was, after: is }) => ({
          label,
          change,
          effect,
          before: was,
          after: is,
        })),
      },
    });
    await notifyChange(tx, 'requests', request.id);
    return {
      id: request.id,
      number: request.number,
      state,
      revision: number,
      snapshotDigest: written.snapshotDigest,
      verdict: written.verdict,
    };
  });
}
