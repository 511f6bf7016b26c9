import { z } from 'zod';
import { purposeSchema } from '#lib/agents/purpose.ts';
import { requiredApprovals, riskOf } from '#lib/agents/risk.ts';
import {
  constraintSchema,
  lifetimeSecondsSchema,
  type Snapshot,
  type SnapshotTool,
  snapshotDigestOf,
  snapshotSchema,
  sortTools,
} from '#lib/agents/snapshot.ts';
import { type EvidenceFact, type EvidenceStatus, sortFacts } from '#lib/evidence/fact.ts';
import type { RegisteredMetadata } from '#lib/oauth/client-metadata.ts';
import { addSeconds } from '#lib/platform/clock.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import type { Prisma, Tx } from '#lib/platform/db.ts';
import { Invalid } from '#lib/platform/errors.ts';
import { newId } from '#lib/platform/ids.ts';
import { isSelfDescription, pendingFacts } from '#lib/registration/pending-metadata.ts';
import { thumbprintsOf } from '#lib/registration/prepare-claim.ts';
import { draftSeconds, quarantineRequestSeconds, type RequestKind } from './states.ts';
import type { Ambient } from './store.ts';
import { judgeProposal, type Verdict } from './verdict.ts';

/** One tool asked for: by its id, or by server and exact name. */
export const toolChoiceSchema = z
  .strictObject({
    toolId: z.string().max(64).optional(),
    serverId: z.string().max(64).optional(),
    name: z.string().max(512).optional(),
    constraints: z.array(constraintSchema).max(32).default([]),
    justification: z.string().trim().max(500).default(''),
    /** The tool set version it was chosen through; the binding pins it. */
    toolSetVersionId: z.string().max(64).nullable().default(null),
  })
  .refine((tool) => tool.toolId !== undefined || (tool.serverId !== undefined && tool.name !== undefined), {
    message: 'Name a tool by toolId, or by serverId and name.',
  })
  .meta({ id: 'ToolChoice' });
export type ToolChoice = z.output<typeof toolChoiceSchema>;

const agentName = z
  .string()
  .trim()
  .min(2, 'Give the agent a name.')
  .max(120, 'Keep it under 120 characters.');
const tools = z.array(toolChoiceSchema).min(1, 'Choose at least one tool.').max(500);

/** What an owner decides about a request: everything in a snapshot that is not read from other rows. */
export const requestContentFields = {
  agentName,
  deputyId: z.string().max(64).nullable().default(null),
  purpose: purposeSchema,
  lifetimeSeconds: lifetimeSecondsSchema,
  tools,
};
export const requestContentSchema = z.strictObject(requestContentFields);
export type RequestContent = z.output<typeof requestContentSchema>;

export type RevisionInput = {
  request: { id: string; kind: RequestKind; ownerId: string };
  agentId: string;
  /** Number this revision gets. */
  number: number;
  content: RequestContent;
  /** Facts about origin established for this revision; the earlier revision's are carried over when absent. */
  evidence?: readonly EvidenceFact[] | undefined;
  /** Clients that get their rows right after this revision, in the same transaction. */
  arriving?: { instances: Snapshot['instances']; sourceId: string } | undefined;
};

export type WrittenRevision = {
  id: string;
  snapshot: Snapshot;
  snapshotDigest: string;
  verdict: Verdict;
  risk: 'low' | 'medium' | 'high';
  requiredApprovals: number;
  /** When a request about these instances has to be over. */
  expiresAt: Date;
};

/**
 * Writes an immutable revision from the rows as they are in this transaction: tools at their current version, clients
 * with their current metadata, the evidence gathered. Its snapshot holds every fact a reviewer is shown, its digest is
 * what a decision names. Throws `Invalid` with the index of a tool that cannot be asked for.
 */
export async function writeRevision(tx: Tx, ctx: Ctx, input: RevisionInput): Promise<WrittenRevision> {
  const now = ctx.clock.now();
  const { request, content } = input;
  const agent = await tx.agent.findUniqueOrThrow({ where: { id: input.agentId } });
  const owner = await tx.person.findUniqueOrThrow({ where: { id: request.ownerId } });
  const deputy = await findDeputy(tx, content.deputyId, owner.id);
  const chosen = await resolveTools(tx, content.tools);
  const present = await readInstances(tx, agent.id, request.kind);
  const instances = [...present.instances, ...(input.arriving?.instances ?? [])];
  const carried = input.evidence ?? (await carriedEvidence(tx, request.id));
  const evidence = await withPendingFacts(tx, ctx, agent.id, request.kind, [...carried]);

  const snapshot: Snapshot = snapshotSchema.parse({
    v: 1,
    kind: request.kind,
    agent: {
      id: agent.id,
      name: content.agentName,
      softwareIdentity: agent.softwareIdentity,
      softwareIdentityKind: agent.softwareIdentityKind,
      clientClass: agent.clientClass,
      environment: agent.environment,
    },
    owner: { personId: owner.id, subject: owner.subject, displayName: owner.displayName },
    deputy: deputy ? { personId: deputy.id, subject: deputy.subject, displayName: deputy.displayName } : null,
    purpose: content.purpose,
    lifetimeSeconds: content.lifetimeSeconds,
    tools: chosen,
    instances,
    evidence: sortFacts(evidence).map(({ kind, status, value, method }) => ({ kind, status, value, method })),
  });
  const snapshotDigest = snapshotDigestOf(snapshot);
  const verdict = judgeProposal(
    {
      agentId: agent.id,
      ownerId: owner.id,
      sourceId: present.sourceId ?? input.arriving?.sourceId ?? 'src_intake',
      clientClass: agent.clientClass,
      purpose: content.purpose,
      tools: chosen,
    },
    now,
  );

  const id = newId('revision');
  const ambient: Ambient = { verdict, ...(await countAmbient(tx, agent, chosen)) };
  await tx.requestRevision.create({
    data: {
      id,
      requestId: request.id,
      number: input.number,
      authorId: ctx.actor.kind === 'person' ? ctx.actor.personId : owner.id,
      purpose: snapshot.purpose as Prisma.InputJsonValue,
      lifetimeSeconds: snapshot.lifetimeSeconds,
      instanceIds: snapshot.instances.map((instance) => instance.instanceId),
      snapshot: snapshot as Prisma.InputJsonValue,
      snapshotDigest,
      ambient: ambient as unknown as Prisma.InputJsonValue,
      createdAt: now,
    },
  });
  await tx.toolLine.createMany({
    data: chosen.map((tool) => ({
      id: newId('toolLine'),
      revisionId: id,
      serverId: tool.serverId,
      toolId: tool.toolId,
      toolVersionId: tool.toolVersionId,
      toolSetVersionId: tool.toolSetVersionId,
      constraints: tool.constraints as Prisma.InputJsonValue,
      justification: tool.justification,
    })),
  });
  // Evidence of arriving clients is stored with their rows, by the room that gathered it.
  if (!input.arriving) {
    await tx.evidence.createMany({
      data: evidence.map((fact) => ({
        id: newId('evidence'),
        revisionId: id,
        clientId: snapshot.instances[0]?.clientId ?? null,
        kind: fact.kind,
        status: fact.status,
        value: fact.value as Prisma.InputJsonValue,
        method: fact.method,
        establishedAt: fact.establishedAt,
        proofDigest: fact.proofDigest,
      })),
    });
  }
  return {
    id,
    snapshot,
    snapshotDigest,
    verdict,
    risk: riskOf(chosen),
    requiredApprovals: requiredApprovals(snapshot),
    expiresAt: earliest([
      addSeconds(now, draftSeconds),
      ...present.quarantineEnds,
      ...(input.arriving ? [addSeconds(now, quarantineRequestSeconds)] : []),
    ]),
  };
}

/** The tools of a choice at their current version, in snapshot order. */
export async function resolveTools(tx: Tx, choices: readonly ToolChoice[]): Promise<SnapshotTool[]> {
  const rows = await tx.tool.findMany({
    where: {
      OR: [
        { id: { in: choices.flatMap((choice) => choice.toolId ?? []) } },
        ...choices.flatMap(({ toolId, serverId, name }) =>
          toolId === undefined && serverId !== undefined && name !== undefined ? [{ serverId, name }] : [],
        ),
      ],
    },
    include: {
      server: { select: { id: true, name: true, resource: true, state: true } },
      versions: { orderBy: { version: 'desc' }, take: 1 },
    },
  });
  const setIds = choices.flatMap((choice) => choice.toolSetVersionId ?? []);
  const sets =
    setIds.length === 0
      ? []
      : await tx.toolSetVersion.findMany({ where: { id: { in: [...new Set(setIds)] } } });
  const seen = new Set<string>();
  const refuse = (index: number, message: string): never => {
    throw new Invalid(message, { issues: [{ path: `tools.${index}`, message }] });
  };
  const resolved = choices.map((choice, index): SnapshotTool => {
    const row = rows.find((tool) =>
      choice.toolId !== undefined
        ? tool.id === choice.toolId
        : tool.serverId === choice.serverId && tool.name === choice.name,
    );
    const version = row?.versions[0];
    if (!row || !version || row.removedAt || row.server.state !== 'active') {
      return refuse(index, `The catalogue offers no tool ${choice.name ?? choice.toolId} there now.`);
    }
    if (seen.has(row.id)) return refuse(index, `${row.name} is chosen twice.`);
    seen.add(row.id);
    if (choice.toolSetVersionId !== null) {
      const set = sets.find((each) => each.id === choice.toolSetVersionId);
      if (!set?.toolIds.includes(row.id))
        return refuse(index, `${row.name} is not in that version of the tool set.`);
    }
    return {
      serverId: row.serverId,
      server: row.server.name,
      resource: row.server.resource,
      toolId: row.id,
      name: row.name,
      toolVersionId: version.id,
      version: version.version,
      definitionDigest: version.definitionDigest,
      class: version.class as SnapshotTool['class'],
      risk: version.risk as SnapshotTool['risk'],
      constraints: choice.constraints,
      justification: choice.justification,
      toolSetVersionId: choice.toolSetVersionId,
    };
  });
  return sortTools(resolved);
}

async function findDeputy(tx: Tx, deputyId: string | null, ownerId: string) {
  if (deputyId === null) return null;
  const deputy = await tx.person.findFirst({
    where: {
      id: deputyId,
      state: 'active',
      roles: { some: { role: 'owner', endedAt: null, effectiveAt: { not: null } } },
    },
  });
  if (!deputy || deputy.id === ownerId) {
    const message = 'A deputy is another person with the role owner.';
    throw new Invalid(message, { issues: [{ path: 'deputyId', message }] });
  }
  return deputy;
}

/** With what clients of the agent want to be called from now on in place of what they were, where a change asks for it. */
async function withPendingFacts(
  tx: Tx,
  ctx: Ctx,
  agentId: string,
  kind: RequestKind,
  carried: EvidenceFact[],
): Promise<EvidenceFact[]> {
  if (kind !== 'change') return carried;
  const clients = await tx.client.findMany({
    where: {
      pendingDigest: { not: null },
      instances: { some: { agentId, state: { in: ['active', 'suspended'] } } },
    },
    select: { id: true, metadata: true, pendingMetadata: true },
  });
  if (clients.length === 0) return carried;
  const now = ctx.clock.now();
  return [
    ...carried.filter((fact) => !isSelfDescription(fact.kind) && fact.kind !== 'contents changed'),
    ...clients.flatMap((client) => pendingFacts(client, now)),
  ];
}

async function carriedEvidence(tx: Tx, requestId: string): Promise<EvidenceFact[]> {
  const earlier = await tx.requestRevision.findFirst({
    where: { requestId },
    orderBy: { number: 'desc' },
    include: { evidence: { orderBy: { id: 'asc' } } },
  });
  return (earlier?.evidence ?? []).map((row) => ({
    kind: row.kind as EvidenceFact['kind'],
    status: row.status as EvidenceStatus,
    value: row.value as EvidenceFact['value'],
    method: row.method,
    establishedAt: row.establishedAt,
    proofDigest: row.proofDigest,
  }));
}

async function countAmbient(
  tx: Tx,
  agent: { id: string; ownerId: string; softwareIdentity: string },
  tools: readonly SnapshotTool[],
): Promise<Omit<Ambient, 'verdict'>> {
  const bindings = await tx.toolBinding.findMany({
    where: {
      endedAt: null,
      serverId: { in: [...new Set(tools.map((tool) => tool.serverId))] },
      agentId: { not: agent.id },
      agent: { state: 'active' },
    },
    select: { serverId: true, toolNames: true },
    take: 2000,
  });
  const holders = Object.fromEntries(
    tools.map((tool) => [
      tool.toolId,
      bindings.filter((each) => each.serverId === tool.serverId && each.toolNames.includes(tool.name)).length,
    ]),
  );
  const ownerAgents = await tx.agent.count({ where: { ownerId: agent.ownerId, state: 'active' } });
  const earlierRequests = await tx.registrationRequest.count({ where: { agentId: agent.id } });
  const refusedBefore = await tx.registrationRequest.count({
    where: { state: 'rejected', agent: { softwareIdentity: agent.softwareIdentity } },
  });
  return { holders, ownerAgents, earlierRequests, refusedBefore };
}

/** The clients of an agent that live now, as a snapshot lists them. */
async function readInstances(tx: Tx, agentId: string, kind: RequestKind) {
  const rows = await tx.instance.findMany({
    where: { agentId, state: { in: ['quarantined', 'active', 'suspended'] } },
    include: {
      client: {
        select: {
          id: true,
          kind: true,
          metadataDigest: true,
          redirectUris: true,
          tokenEndpointAuthMethod: true,
          jwks: true,
          sourceId: true,
          pendingDigest: true,
          pendingMetadata: true,
        },
      },
    },
    orderBy: { id: 'asc' },
  });
  return {
    instances: rows.map(({ id, client }) => {
      // What a client wants to be is asked for with the next change; a reinstatement gives back what was approved.
      const pending =
        kind === 'change' && client.pendingDigest !== null
          ? { digest: client.pendingDigest, metadata: client.pendingMetadata as RegisteredMetadata }
          : null;
      return {
        instanceId: id,
        clientId: client.id,
        kind: client.kind,
        metadataDigest: pending?.digest ?? client.metadataDigest,
        redirectUris: client.redirectUris,
        tokenEndpointAuthMethod:
          pending?.metadata.token_endpoint_auth_method ?? client.tokenEndpointAuthMethod,
        jwksThumbprints: thumbprintsOf(client),
      };
    }),
    sourceId: rows[0]?.client.sourceId ?? null,
    quarantineEnds: rows.flatMap((row) =>
      row.state === 'quarantined' && row.quarantineEndsAt ? [row.quarantineEndsAt] : [],
    ),
  };
}

function earliest(instants: readonly Date[]): Date {
  return new Date(Math.min(...instants.map((instant) => instant.getTime())));
}
