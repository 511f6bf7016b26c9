import { z } from 'zod';
import { pageOf } from '#lib/platform/cursor.ts';
import { readBlastRadius } from '#lib/revocation/blast-radius.ts';
import { listRevocations, listRevocationsQuery } from '#lib/revocation/list-revocations.ts';
import { type Receipt, readReceipt } from '#lib/revocation/receipt.ts';
import { readIssuance, resumeIssuanceInput } from '#lib/revocation/resume-issuance.ts';
import { stopCauses } from '#lib/revocation/stop-agent.ts';
import { verbs } from '../verbs.ts';
import { defineRoute } from './route.ts';

const byId = z.strictObject({ id: z.string() });
const stopBody = z.strictObject({
  cause: z.enum(stopCauses).default('administrative'),
  reason: z.string().trim().max(2000).default(''),
});
const stopResult = z.object({ revocationId: z.string(), committedAt: z.string() }).meta({ id: 'Stop' });

const receipt = z
  .object({
    id: z.string(),
    effect: z.enum(['suspend', 'revoke']),
    target: z.object({ kind: z.string(), id: z.string(), name: z.string() }),
    cause: z.string(),
    reason: z.string(),
    actorName: z.string(),
    requestedAt: z.string(),
    committedAt: z.string(),
    sweptAt: z.string().nullable(),
    closedAt: z.string().nullable(),
    cascade: z.record(z.string(), z.union([z.int(), z.boolean()])),
    guards: z.array(
      z.object({
        guardId: z.string(),
        name: z.string(),
        status: z.enum(['acknowledged', 'asked', 'unreachable', 'revoked']),
        acknowledgedAt: z.string().nullable(),
        acknowledgedAfterMs: z.int().nullable(),
        lastAcceptedAt: z.string().nullable(),
        firstRefusedAt: z.string().nullable(),
        firstRefusedAfterMs: z.int().nullable(),
        lastSeenAt: z.string().nullable(),
      }),
    ),
  })
  .meta({ id: 'Receipt' });

const blastRadius = z
  .object({
    agent: z.object({ id: z.string(), name: z.string(), state: z.string(), ownerName: z.string() }),
    liveTokens: z.int(),
    refreshFamilies: z.int(),
    instances: z.int(),
    waitingBrowsers: z.int(),
    openRequests: z.int(),
    servers: z.array(
      z.object({
        serverId: z.string(),
        name: z.string(),
        tools: z.array(z.string()),
        guards: z.array(z.object({ guardId: z.string(), name: z.string(), reachable: z.boolean() })),
      }),
    ),
    lastIssuedAt: z.string().nullable(),
    lastUsedAt: z.string().nullable(),
  })
  .meta({ id: 'BlastRadius' });

const revocationRow = z
  .object({
    id: z.string(),
    effect: z.enum(['suspend', 'revoke']),
    targetKind: z.enum(['agent', 'server']),
    agent: z
      .object({ id: z.string(), name: z.string() })
      .meta({ description: 'What was stopped; a server where targetKind says so.' }),
    cause: z.string(),
    reason: z.string(),
    actorName: z.string(),
    committedAt: z.string(),
    closedAt: z.string().nullable(),
    guardsAsked: z.int(),
    guardsAcknowledged: z.int(),
    slowestMs: z.int().nullable(),
  })
  .meta({ id: 'Revocation' });

export const revocationRoutes = [
  defineRoute({
    method: 'get',
    path: '/agents/{id}/blast-radius',
    operationId: 'getBlastRadius',
    summary: 'Count what suspending or revoking an agent would reach',
    tag: 'Agents',
    params: byId,
    response: blastRadius,
    handle: (ctx, { params }) => readBlastRadius(ctx, params.id),
  }),
  defineRoute({
    method: 'get',
    path: '/revocations',
    operationId: 'listRevocations',
    summary: 'List stops, newest first',
    tag: 'Revocations',
    query: listRevocationsQuery,
    response: pageOf(revocationRow),
    handle: (ctx, { query }) => listRevocations(ctx, query),
  }),
  defineRoute({
    method: 'post',
    path: '/agents/{id}/suspend',
    operationId: 'suspendAgent',
    summary: 'Suspend an agent: its tokens are dead when this answers',
    tag: 'Agents',
    params: byId,
    body: stopBody,
    response: stopResult,
    handle: (ctx, { params, body }) =>
      verbs['revocation.suspendAgent'].run(ctx, { agentId: params.id, ...body }),
  }),
  defineRoute({
    method: 'post',
    path: '/agents/{id}/revoke',
    operationId: 'revokeAgent',
    summary: 'Revoke an agent for good',
    tag: 'Agents',
    params: byId,
    body: stopBody,
    response: stopResult,
    handle: (ctx, { params, body }) =>
      verbs['revocation.revokeAgent'].run(ctx, { agentId: params.id, ...body }),
  }),
  defineRoute({
    method: 'get',
    path: '/revocations/{id}',
    operationId: 'getRevocation',
    summary: 'Read the receipt of a stop',
    tag: 'Revocations',
    params: byId,
    response: receipt,
    handle: async (ctx, { params }) => toWire(await readReceipt(ctx, params.id)),
  }),
  defineRoute({
    method: 'get',
    path: '/issuance',
    operationId: 'getIssuance',
    summary: 'Whether tokens are issued, or since when and why not',
    tag: 'Revocations',
    response: z.object({ stoppedAt: z.string().nullable(), reason: z.string() }).meta({ id: 'Issuance' }),
    handle: async (ctx) => ({ reason: '', ...(await readIssuance(ctx)) }),
  }),
  defineRoute({
    method: 'post',
    path: '/issuance/resume',
    operationId: 'resumeIssuance',
    summary: 'Always 403: resuming takes a fresh proof in the console, which an API token cannot give',
    tag: 'Revocations',
    body: resumeIssuanceInput,
    response: z.object({ resumedAt: z.string() }),
    handle: (ctx, { body }) => verbs['revocation.resumeIssuance'].run(ctx, body),
  }),
];

function toWire(row: Receipt): z.input<typeof receipt> {
  const at = (instant: Date | null) => instant?.toISOString() ?? null;
  return {
    id: row.id,
    effect: row.effect,
    target: row.target,
    cause: row.cause,
    reason: row.reason,
    actorName: row.actorName,
    requestedAt: row.requestedAt.toISOString(),
    committedAt: row.committedAt.toISOString(),
    sweptAt: at(row.sweptAt),
    closedAt: at(row.closedAt),
    cascade: row.cascade,
    guards: row.guards.map((guard) => ({
      ...guard,
      acknowledgedAt: at(guard.acknowledgedAt),
      lastAcceptedAt: at(guard.lastAcceptedAt),
      firstRefusedAt: at(guard.firstRefusedAt),
      lastSeenAt: at(guard.lastSeenAt),
    })),
  };
}
