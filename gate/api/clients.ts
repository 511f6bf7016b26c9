import { z } from 'zod';
import { pageOf } from '#lib/platform/cursor.ts';
import { endQuarantine, endQuarantineInput } from '#lib/registration/end-quarantine.ts';
import { clientStates, clientsQuery, getClient, listClients } from '#lib/registration/read-clients.ts';
import { type ApiRoute, defineRoute } from './route.ts';

const clientSummary = z
  .object({
    id: z.string().meta({ description: 'The client_id.' }),
    kind: z.string(),
    name: z.string().meta({ description: 'Self-chosen and unverified. Show it as text.' }),
    state: z.enum(clientStates as [string, ...string[]]),
    redirectHosts: z.array(z.string()),
    fingerprint: z.string(),
    source: z.string(),
    owners: z.array(z.object({ personId: z.string(), displayName: z.string(), state: z.string() })),
    agents: z.array(z.object({ id: z.string(), name: z.string(), state: z.string() })),
    registeredAt: z.string(),
    quarantineEndsAt: z.string().nullable(),
  })
  .meta({ id: 'Client' });

const fact = z.object({
  kind: z.string(),
  status: z.string(),
  value: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.array(z.string())])),
  method: z.string(),
  establishedAt: z.string(),
});

const clientDetail = clientSummary
  .extend({
    metadata: z.unknown(),
    metadataDigest: z.string(),
    redirectUris: z.array(z.string()),
    tokenEndpointAuthMethod: z.string(),
    grantTypes: z.array(z.string()),
    custodian: z.string(),
    sourceAddress: z.string().nullable(),
    userAgent: z.string().nullable(),
    claimedAt: z.string().nullable(),
    forgottenAt: z.string().nullable(),
    forgottenCause: z.string().nullable(),
    sameSoftware: z.number(),
    pending: z
      .object({
        at: z.string(),
        changes: z.array(
          z.object({ member: z.string(), before: z.string().nullable(), after: z.string().nullable() }),
        ),
        agentId: z.string().nullable(),
        isOwn: z.boolean(),
      })
      .nullable(),
    instances: z.array(
      z.object({
        id: z.string(),
        state: z.string(),
        stateCause: z.string().nullable(),
        stateSince: z.string(),
        owner: z.string(),
        agent: z.object({ id: z.string(), name: z.string(), state: z.string() }).nullable(),
      }),
    ),
    facts: z.array(fact),
    history: z.array(
      z.object({
        id: z.string(),
        at: z.string(),
        kind: z.string(),
        outcome: z.string(),
        actor: z.string(),
        reason: z.string(),
      }),
    ),
  })
  .meta({ id: 'ClientDetail' });

const params = z.object({
  id: z.string().max(1_000).meta({ description: 'The client_id, percent-encoded.' }),
});

export const clientRoutes: readonly ApiRoute[] = [
  defineRoute({
    method: 'get',
    path: '/clients',
    operationId: 'listClients',
    summary: 'Clients you may see, newest first',
    tag: 'Clients',
    query: clientsQuery,
    response: pageOf(clientSummary),
    handle: (ctx, { query }) => listClients(ctx, query),
  }),
  defineRoute({
    method: 'get',
    path: '/clients/{id}',
    operationId: 'getClient',
    summary: 'A client with its metadata, evidence, instances and history',
    tag: 'Clients',
    params,
    response: clientDetail,
    handle: (ctx, { params }) => getClient(ctx, params.id),
  }),
  defineRoute({
    method: 'post',
    path: '/clients/{id}/end-quarantine',
    operationId: 'endQuarantine',
    summary: 'End the quarantine of an unclaimed client',
    tag: 'Clients',
    params,
    body: endQuarantineInput.omit({ clientId: true }),
    response: z.object({ clientId: z.string() }),
    handle: (ctx, { params, body }) => endQuarantine(ctx, { clientId: params.id, ...body }),
  }),
];
