import { z } from 'zod';
import {
  agentDetailSchema,
  agentPageSchema,
  getAgent,
  listAgents,
  listAgentsQuery,
} from '#lib/agents/read-agents.ts';
import { expiryQuery, expirySchema, readExpiry } from '#lib/agents/read-expiry.ts';
import { readRequest } from '#lib/approvals/read-review.ts';
import { requestDetailSchema } from '#lib/approvals/views.ts';
import { verbs } from '../verbs.ts';
import { defineRoute } from './route.ts';

const byId = z.strictObject({ id: z.string().max(64) });

export const agentRoutes = [
  defineRoute({
    method: 'get',
    path: '/agents',
    operationId: 'listAgents',
    summary: 'List agents, newest first',
    tag: 'Agents',
    query: listAgentsQuery,
    response: agentPageSchema,
    handle: (ctx, { query }) => listAgents(ctx, query),
  }),
  defineRoute({
    method: 'get',
    path: '/expiry',
    operationId: 'readExpiry',
    summary: 'What ends when: counted by day over thirteen weeks, and as a list',
    tag: 'Agents',
    query: expiryQuery,
    response: expirySchema,
    handle: (ctx, { query }) => readExpiry(ctx, query),
  }),
  defineRoute({
    method: 'get',
    path: '/agents/{id}',
    operationId: 'getAgent',
    summary: 'Read one agent: what it holds, through which clients, by which decisions',
    tag: 'Agents',
    params: byId,
    response: agentDetailSchema,
    handle: (ctx, { params }) => getAgent(ctx, params.id),
  }),
  defineRoute({
    method: 'post',
    path: '/agents/{id}/reinstate',
    operationId: 'reinstateAgent',
    summary: 'Ask for a suspended agent to work again: files a request that somebody else decides',
    tag: 'Agents',
    params: byId,
    body: z.strictObject({ reason: z.string().trim().min(3).max(1000) }),
    response: requestDetailSchema,
    status: 201,
    handle: async (ctx, { params, body }) => {
      const { id } = await verbs['requests.create'].run(ctx, {
        kind: 'reinstate',
        agentId: params.id,
        reason: body.reason,
        submit: true,
      });
      return readRequest(ctx, id);
    },
  }),
];
