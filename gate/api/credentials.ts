import { z } from 'zod';
import {
  credentialPageSchema,
  listCredentials,
  listCredentialsQuery,
} from '#lib/credentials/read-credentials.ts';
import {
  createResourceTokenInput,
  listResourceTokens,
  rotateResourceTokenInput,
} from '#lib/credentials/resource-tokens.ts';
import { listSigningKeys } from '#lib/credentials/signing-keys.ts';
import { verbs } from '../verbs.ts';
import { defineRoute } from './route.ts';

const byId = z.strictObject({ id: z.string().max(64) });

const key = z
  .object({
    kid: z.string(),
    purpose: z.string(),
    alg: z.string(),
    state: z.string(),
    createdAt: z.string(),
    activatedAt: z.string().nullable(),
    retiredAt: z.string().nullable(),
    publishedUntil: z.string().nullable(),
    killedAt: z.string().nullable(),
  })
  .meta({ id: 'SigningKey' });

const resourceToken = z
  .object({
    id: z.string(),
    name: z.string(),
    createdAt: z.string(),
    expiresAt: z.string(),
    endedAt: z.string().nullable(),
    lastUsedAt: z.string().nullable(),
    createdBy: z.string().nullable(),
    successorId: z.string().nullable(),
  })
  .meta({ id: 'ResourceToken' });

const iso = (instant: Date | null) => instant?.toISOString() ?? null;

export const credentialRoutes = [
  defineRoute({
    method: 'get',
    path: '/agents/{id}/credentials',
    operationId: 'listCredentials',
    summary: 'List what was issued to an agent, newest first: facts, never a token',
    tag: 'Credentials',
    params: byId,
    query: listCredentialsQuery,
    response: credentialPageSchema,
    handle: (ctx, { params, query }) => listCredentials(ctx, params.id, query),
  }),
  defineRoute({
    method: 'get',
    path: '/keys',
    operationId: 'listKeys',
    summary: 'List signing keys and their states',
    tag: 'Keys',
    response: z.object({ items: z.array(key) }),
    handle: async (ctx) => ({
      items: (await listSigningKeys(ctx)).map((each) => ({
        ...each,
        createdAt: each.createdAt.toISOString(),
        activatedAt: iso(each.activatedAt),
        retiredAt: iso(each.retiredAt),
        publishedUntil: iso(each.publishedUntil),
        killedAt: iso(each.killedAt),
      })),
    }),
  }),
  defineRoute({
    method: 'get',
    path: '/servers/{id}/resource-tokens',
    operationId: 'listResourceTokens',
    summary: 'List the tokens a server without a guard asks with',
    tag: 'Servers',
    params: byId,
    response: z.object({ items: z.array(resourceToken) }),
    handle: async (ctx, { params }) => ({
      items: (await listResourceTokens(ctx, params.id)).map((each) => ({
        ...each,
        createdAt: each.createdAt.toISOString(),
        expiresAt: each.expiresAt.toISOString(),
        endedAt: iso(each.endedAt),
        lastUsedAt: iso(each.lastUsedAt),
      })),
    }),
  }),
  defineRoute({
    method: 'post',
    path: '/servers/{id}/resource-tokens',
    operationId: 'createResourceToken',
    summary: 'Make a token for a server without a guard; shown once',
    tag: 'Servers',
    params: byId,
    body: createResourceTokenInput.omit({ serverId: true }),
    response: z.object({ id: z.string(), token: z.string(), expiresAt: z.string() }),
    status: 201,
    handle: async (ctx, { params, body }) => {
      const made = await verbs['credentials.createResourceToken'].run(ctx, { ...body, serverId: params.id });
      return { ...made, expiresAt: made.expiresAt.toISOString() };
    },
  }),
  defineRoute({
    method: 'post',
    path: '/resource-tokens/{id}/rotate',
    operationId: 'rotateResourceToken',
    summary: 'Make a successor, shown once; the former one works until the overlap ends',
    tag: 'Servers',
    params: byId,
    body: rotateResourceTokenInput.omit({ id: true }),
    response: z.object({
      id: z.string(),
      token: z.string(),
      expiresAt: z.string(),
      formerEndsAt: z.string(),
    }),
    status: 201,
    handle: async (ctx, { params, body }) => {
      const made = await verbs['credentials.rotateResourceToken'].run(ctx, { ...body, id: params.id });
      return {
        ...made,
        expiresAt: made.expiresAt.toISOString(),
        formerEndsAt: made.formerEndsAt.toISOString(),
      };
    },
  }),
  defineRoute({
    method: 'post',
    path: '/resource-tokens/{id}/end',
    operationId: 'endResourceToken',
    summary: 'End such a token at once',
    tag: 'Servers',
    params: byId,
    response: z.object({ ended: z.boolean() }),
    handle: async (ctx, { params }) => {
      await verbs['credentials.endResourceToken'].run(ctx, params);
      return { ended: true };
    },
  }),
];
