import { z } from 'zod';
import { requireRole } from '#lib/access/require.ts';
import { createAgent } from '#lib/agents/create-agent.ts';
import type { Snapshot } from '#lib/agents/snapshot.ts';
import { recordEvent } from '#lib/audit/record.ts';
import type { EvidenceFact, EvidenceKind } from '#lib/evidence/fact.ts';
import type { PersonActor } from '#lib/platform/actor.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { notifyChange, type Tx, withTransaction } from '#lib/platform/db.ts';
import { Conflict, NotFound } from '#lib/platform/errors.ts';
import { newId } from '#lib/platform/ids.ts';
import {
  fileClient,
  filedClientSchema,
  type PreparedFiling,
  prepareFiling,
} from '#lib/registration/file-client.ts';
import { requireRoomForRequest } from './open-limit.ts';
import {
  type RequestContent,
  requestContentFields,
  type WrittenRevision,
  writeRevision,
} from './revision.ts';
import type { RequestKind } from './states.ts';
import { findLastGranted, loadVisible, requestLabel } from './store.ts';
import { submitInTransaction } from './submit-request.ts';
import type { Verdict } from './verdict.ts';

const submit = z
  .boolean()
  .default(false)
  .describe('Submit at once. Otherwise the request stays a draft until it is submitted.');

/** A request for an agent that does not exist yet. */
const newRequest = z.strictObject({
  kind: z.literal('new'),
  client: filedClientSchema,
  ...requestContentFields,
  submit,
});
/** A request to change what an active agent has: names everything it should have afterwards. */
const changeRequest = z.strictObject({
  kind: z.literal('change'),
  agentId: z.string().max(64),
  ...requestContentFields,
  submit,
});
/** A request to bring a suspended agent back as it was. */
const reinstateRequest = z.strictObject({
  kind: z.literal('reinstate'),
  agentId: z.string().max(64),
  reason: z.string().trim().min(3, 'Say why it should work again.').max(1000),
  submit: submit.default(true),
});

export const createRequestInput = z.discriminatedUnion('kind', [newRequest, changeRequest, reinstateRequest]);
export type CreateRequest = z.output<typeof createRequestInput>;

export type CreatedRequest = {
  id: string;
  number: number;
  kind: RequestKind;
  state: 'draft' | 'submitted';
  agentId: string;
  snapshotDigest: string;
  verdict: Verdict;
};

/**
 * Files a request by its owner: for a new agent with its client, for a change of an active one, or to reinstate a
 * suspended one. Everything that would have authority exists from here on with an owner and an end, and has none:
 * agent pending, client quarantined. The owner is the actor; nobody files for somebody else.
 */
export async function createRequest(ctx: Ctx, input: CreateRequest): Promise<CreatedRequest> {
  const person = requireRole(ctx, 'owner');
  if (input.kind !== 'new') {
    return withTransaction(ctx, (tx) => createAboutAgent(tx, ctx, person, input));
  }
  const prepared = await prepareFiling(ctx, person, input.client, input.agentName);
  return withTransaction(ctx, (tx) => createForNewAgent(tx, ctx, person, input, prepared));
}

async function createForNewAgent(
  tx: Tx,
  ctx: Ctx,
  person: PersonActor,
  input: Extract<CreateRequest, { kind: 'new' }>,
  prepared: PreparedFiling,
): Promise<CreatedRequest> {
  await requireRoomForRequest(tx, person.personId);
  const requestId = newId('request');
  const agent = await createAgent(tx, ctx, {
    requestId,
    name: input.agentName,
    ownerId: person.personId,
    deputyId: input.deputyId,
    softwareIdentity: prepared.softwareIdentity,
    softwareIdentityKind: prepared.softwareIdentityKind,
    clientClass: prepared.clientClass,
  });
  const draft = {
    requestId,
    kind: 'new' as const,
    agentId: agent.id,
    previousRequestId: prepared.previousRequestId,
  };
  const content: RequestContent = {
    agentName: input.agentName,
    deputyId: input.deputyId,
    purpose: input.purpose,
    lifetimeSeconds: input.lifetimeSeconds,
    tools: input.tools,
  };
  return writeDraft(tx, ctx, person, draft, content, input.submit, {
    evidence: prepared.facts,
    arriving: { instances: [prepared.snapshotInstance], sourceId: prepared.client.sourceId },
    arrive: (revisionId) => fileClient(tx, ctx, prepared, { agentId: agent.id, requestId, revisionId }),
  });
}

async function createAboutAgent(
  tx: Tx,
  ctx: Ctx,
  person: PersonActor,
  input: Exclude<CreateRequest, { kind: 'new' }>,
): Promise<CreatedRequest> {
  await requireRoomForRequest(tx, person.personId);
  const agent = await tx.agent.findFirst({
    where: { id: input.agentId, OR: [{ ownerId: person.personId }, { deputyId: person.personId }] },
  });
  if (!agent) throw new NotFound();
  const wanted = input.kind === 'change' ? 'active' : 'suspended';
  if (agent.state !== wanted) {
    throw new Conflict(`The agent is ${agent.state}; this needs it ${wanted}.`, { agentState: agent.state });
  }
  const open = await tx.registrationRequest.findFirst({
    where: { agentId: agent.id, state: { in: ['draft', 'submitted', 'changes requested'] } },
    select: { id: true, number: true },
  });
  if (open) {
    throw new Conflict(
      `${requestLabel(open.number)} about this agent is still open. Change or withdraw it first.`,
      {
        requestId: open.id,
      },
    );
  }
  const last = await findLastGranted(tx, agent.id, '');
  if (!last) throw new Conflict('Nothing was ever approved for this agent.');
  const content: RequestContent =
    input.kind === 'change'
      ? {
          agentName: input.agentName,
          deputyId: input.deputyId,
          purpose: input.purpose,
          lifetimeSeconds: input.lifetimeSeconds,
          tools: input.tools,
        }
      : {
          agentName: agent.name,
          deputyId: agent.deputyId,
          purpose: last.granted.purpose,
          lifetimeSeconds: last.granted.lifetimeSeconds,
          tools: last.granted.tools.map(({ toolId, constraints, justification, toolSetVersionId }) => ({
            toolId,
            constraints,
            justification,
            toolSetVersionId,
          })),
        };
  const requestId = newId('request');
  // The latest one, however it ended: what was withdrawn or refused since belongs to the story of this one.
  const previous = await tx.registrationRequest.findFirst({
    where: { agentId: agent.id },
    orderBy: { number: 'desc' },
    select: { id: true },
  });
  const draft = {
    requestId,
    kind: input.kind,
    agentId: agent.id,
    previousRequestId: previous?.id ?? last.requestId,
  };
  const created = await writeDraft(tx, ctx, { ...person, personId: agent.ownerId }, draft, content, false, {
    evidence: evidenceOf(last.granted, ctx.clock.now()),
    createdById: person.personId,
  });
  if (input.kind === 'reinstate') {
    await tx.requestComment.create({
      data: {
        id: newId('comment'),
        requestId,
        personId: person.personId,
        text: input.reason,
        createdAt: ctx.clock.now(),
      },
    });
  }
  if (!input.submit) return created;
  await submitInTransaction(tx, ctx, await loadVisible(tx, ctx, requestId));
  return { ...created, state: 'submitted' };
}

type Draft = { requestId: string; kind: RequestKind; agentId: string; previousRequestId: string | null };

async function writeDraft(
  tx: Tx,
  ctx: Ctx,
  owner: PersonActor,
  draft: Draft,
  content: RequestContent,
  submitNow: boolean,
  more: Pick<Parameters<typeof writeRevision>[2], 'evidence' | 'arriving'> & {
    arrive?: (revisionId: string) => Promise<unknown>;
    createdById?: string;
  },
): Promise<CreatedRequest> {
  const { requestId, kind, agentId, previousRequestId } = draft;
  const { number } = await tx.registrationRequest.create({
    data: {
      id: requestId,
      kind,
      agentId,
      ownerId: owner.personId,
      createdById: more.createdById ?? owner.personId,
      currentRevision: 1,
      previousRequestId,
      createdAt: ctx.clock.now(),
    },
    select: { number: true },
  });
  const revision: WrittenRevision = await writeRevision(tx, ctx, {
    request: { id: requestId, kind, ownerId: owner.personId },
    agentId,
    number: 1,
    content,
    evidence: more.evidence,
    arriving: more.arriving,
  });
  await tx.registrationRequest.update({
    where: { id: requestId },
    data: {
      risk: revision.risk,
      requiredApprovals: revision.requiredApprovals,
      expiresAt: revision.expiresAt,
    },
  });
  await recordEvent(tx, ctx, {
    kind: 'request.create',
    subjectId: requestId,
    agentId,
    requestRef: requestId,
    after: { state: 'draft', kind, number, revision: 1, snapshotDigest: revision.snapshotDigest },
  });
  await more.arrive?.(revision.id);
  await notifyChange(tx, 'requests', requestId);
  if (submitNow) await submitInTransaction(tx, ctx, await loadVisible(tx, ctx, requestId));
  return {
    id: requestId,
    number,
    kind,
    state: submitNow ? 'submitted' : 'draft',
    agentId,
    snapshotDigest: revision.snapshotDigest,
    verdict: revision.verdict,
  };
}

/** The facts of the last approval, carried over: the clients are the same. */
function evidenceOf(granted: Snapshot, now: Date): EvidenceFact[] {
  return granted.evidence.map((fact) => ({
    ...fact,
    kind: fact.kind as EvidenceKind,
    establishedAt: now,
    proofDigest: null,
  }));
}
