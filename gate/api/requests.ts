import { z } from 'zod';
import { approveRequestFields } from '#lib/approvals/approve-request.ts';
import { createRequestInput } from '#lib/approvals/create-request.ts';
import { editRequestFields } from '#lib/approvals/edit-request.ts';
import { listQueue, listRequests, listRequestsQuery } from '#lib/approvals/read-requests.ts';
import { readRequest, readReview } from '#lib/approvals/read-review.ts';
import { reasonSchema } from '#lib/approvals/reject-request.ts';
import {
  queueRowSchema,
  requestDetailSchema,
  requestPageSchema,
  reviewSchema,
} from '#lib/approvals/views.ts';
import { verbs } from '../verbs.ts';
import { defineRoute } from './route.ts';

const byId = z.strictObject({ id: z.string().max(64) });
const digest = z.string().max(128).optional().describe('The snapshotDigest of what was read.');

const decided = z
  .object({
    id: z.string(),
    number: z.int(),
    state: z.enum(['approved', 'submitted']),
    votes: z.int(),
    requiredApprovals: z.int(),
    grantedDigest: z.string(),
    narrowed: z.boolean(),
    agentId: z.string(),
    bindings: z.array(
      z.object({
        id: z.string(),
        serverId: z.string(),
        version: z.int(),
        toolNames: z.array(z.string()),
      }),
    ),
  })
  .meta({ id: 'Approval' });

export const requestRoutes = [
  defineRoute({
    method: 'get',
    path: '/requests',
    operationId: 'listRequests',
    summary: 'List registration requests, newest first',
    tag: 'Requests',
    query: listRequestsQuery,
    response: requestPageSchema,
    handle: (ctx, { query }) => listRequests(ctx, query),
  }),
  defineRoute({
    method: 'post',
    path: '/requests',
    operationId: 'createRequest',
    summary: 'File a registration request, as a draft or submitted at once',
    tag: 'Requests',
    body: createRequestInput,
    response: requestDetailSchema,
    status: 201,
    handle: async (ctx, { body }) => {
      const { id } = await verbs['requests.create'].run(ctx, body);
      return readRequest(ctx, id);
    },
  }),
  defineRoute({
    method: 'get',
    path: '/requests/{id}',
    operationId: 'getRequest',
    summary: 'Read one request',
    tag: 'Requests',
    params: byId,
    response: requestDetailSchema,
    handle: (ctx, { params }) => readRequest(ctx, params.id),
  }),
  defineRoute({
    method: 'patch',
    path: '/requests/{id}',
    operationId: 'editRequest',
    summary: 'Write the next revision of an open request',
    tag: 'Requests',
    params: byId,
    body: z.strictObject(editRequestFields),
    response: requestDetailSchema,
    handle: async (ctx, { params, body }) => {
      await verbs['requests.edit'].run(ctx, { requestId: params.id, ...body });
      return readRequest(ctx, params.id);
    },
  }),
  defineRoute({
    method: 'post',
    path: '/requests/{id}/submit',
    operationId: 'submitRequest',
    summary: 'Put a draft, or an answer to requested changes, before the approvers',
    tag: 'Requests',
    params: byId,
    body: z.strictObject({}),
    response: requestDetailSchema,
    handle: async (ctx, { params }) => {
      await verbs['requests.submit'].run(ctx, { requestId: params.id });
      return readRequest(ctx, params.id);
    },
  }),
  defineRoute({
    method: 'post',
    path: '/requests/{id}/withdraw',
    operationId: 'withdrawRequest',
    summary: 'Take an open request back',
    tag: 'Requests',
    params: byId,
    body: z.strictObject({ reason: z.string().trim().max(1000).default('') }),
    response: requestDetailSchema,
    handle: async (ctx, { params, body }) => {
      await verbs['requests.withdraw'].run(ctx, { requestId: params.id, ...body });
      return readRequest(ctx, params.id);
    },
  }),
  defineRoute({
    method: 'get',
    path: '/review',
    operationId: 'listReviewQueue',
    summary: 'The review queue: what waits for a decision, most urgent first, or what the caller decided',
    tag: 'Review',
    query: z.object({ view: z.enum(['waiting', 'all', 'decided']).default('waiting') }),
    response: z.object({ items: z.array(queueRowSchema) }),
    handle: async (ctx, { query }) => ({ items: await listQueue(ctx, query.view) }),
  }),
  defineRoute({
    method: 'get',
    path: '/requests/{id}/review',
    operationId: 'getReview',
    summary: 'Read everything a reviewer decides on, with the snapshotDigest a decision names',
    tag: 'Review',
    params: byId,
    response: reviewSchema,
    handle: (ctx, { params }) => readReview(ctx, params.id),
  }),
  defineRoute({
    method: 'post',
    path: '/requests/{id}/approve',
    operationId: 'approveRequest',
    summary: 'Approve what the named snapshot says, or less of it',
    tag: 'Review',
    params: byId,
    body: z.strictObject(approveRequestFields),
    response: decided,
    handle: (ctx, { params, body }) => verbs['requests.approve'].run(ctx, { requestId: params.id, ...body }),
  }),
  defineRoute({
    method: 'post',
    path: '/requests/{id}/reject',
    operationId: 'rejectRequest',
    summary: 'Turn a request down for good',
    tag: 'Review',
    params: byId,
    body: z.strictObject({ reason: reasonSchema, snapshotDigest: digest }),
    response: z.object({ id: z.string(), state: z.literal('rejected') }),
    handle: (ctx, { params, body }) => verbs['requests.reject'].run(ctx, { requestId: params.id, ...body }),
  }),
  defineRoute({
    method: 'post',
    path: '/requests/{id}/request-changes',
    operationId: 'requestChanges',
    summary: 'Send a request back to its owner',
    tag: 'Review',
    params: byId,
    body: z.strictObject({ reason: reasonSchema, snapshotDigest: digest }),
    response: z.object({ id: z.string(), state: z.literal('changes requested') }),
    handle: (ctx, { params, body }) =>
      verbs['requests.requestChanges'].run(ctx, { requestId: params.id, ...body }),
  }),
  defineRoute({
    method: 'post',
    path: '/requests/{id}/comments',
    operationId: 'commentRequest',
    summary: 'Add a comment',
    tag: 'Requests',
    params: byId,
    body: z.strictObject({ text: z.string().trim().min(1).max(4000) }),
    response: z.object({ id: z.string() }),
    status: 201,
    handle: (ctx, { params, body }) => verbs['requests.comment'].run(ctx, { requestId: params.id, ...body }),
  }),
];
