import { z } from 'zod';
import { deactivatePersonInput } from '#lib/access/people.ts';
import { getPerson, listGroups, listPeople, listPeopleQuery } from '#lib/access/read-people.ts';
import { requirePerson } from '#lib/access/require.ts';
import { pageOf } from '#lib/platform/cursor.ts';
import { verbs } from '../verbs.ts';
import { defineRoute } from './route.ts';

const role = z.enum(['owner', 'approver', 'auditor', 'admin']);
const instant = z.iso.datetime();
const byId = z.object({ id: z.string() });

const me = z
  .object({
    personId: z.string(),
    subject: z.string(),
    displayName: z.string(),
    roles: z.array(role),
    via: z.enum(['session', 'token']),
  })
  .meta({ id: 'Me' });

const person = z
  .object({
    personId: z.string(),
    displayName: z.string(),
    email: z.string(),
    state: z.enum(['active', 'deactivated']),
    roles: z.array(role),
    waitingRoles: z
      .array(role)
      .meta({ description: 'Granted, not in effect until a second admin confirms.' }),
    groups: z.array(z.string()),
    lastSeenAt: instant.nullable(),
    createdAt: instant,
  })
  .meta({ id: 'Person' });

const personDetail = z
  .object({
    personId: z.string(),
    displayName: z.string(),
    email: z.string(),
    subject: z.string().meta({ description: 'The verified subject: what separation of duties compares.' }),
    state: z.enum(['active', 'deactivated']),
    createdAt: instant,
    deactivatedAt: instant.nullable(),
    ownedAgents: z.int(),
    grants: z.array(
      z.object({
        grantId: z.string(),
        role,
        state: z.enum(['in effect', 'asleep', 'waits for a second admin', 'ended']),
        grantedAt: instant,
        grantedBy: z.string(),
        providerGroup: z.string().nullable(),
        effectiveAt: instant.nullable(),
        confirmedBy: z.string().nullable(),
        endedAt: instant.nullable(),
        endedBy: z.string().nullable(),
      }),
    ),
    groups: z.array(z.object({ groupId: z.string(), name: z.string(), kind: z.string(), addedAt: instant })),
  })
  .meta({ id: 'PersonDetail' });

const group = z
  .object({
    groupId: z.string(),
    name: z.string(),
    kind: z.string(),
    createdAt: instant,
    members: z.array(
      z.object({ personId: z.string(), displayName: z.string(), state: z.string(), addedAt: instant }),
    ),
  })
  .meta({ id: 'Group' });

export const peopleRoutes = [
  defineRoute({
    method: 'get',
    path: '/me',
    operationId: 'getMe',
    summary: 'Who this token or session acts as, with the roles in effect now',
    tag: 'people',
    response: me,
    async handle(ctx) {
      const { personId, subject, displayName, roles, via } = requirePerson(ctx);
      return { personId, subject, displayName, roles: [...roles], via };
    },
  }),
  defineRoute({
    method: 'get',
    path: '/people',
    operationId: 'listPeople',
    summary: 'People by name, for admins and auditors',
    tag: 'people',
    query: listPeopleQuery,
    response: pageOf(person),
    handle: (ctx, { query }) => listPeople(ctx, query),
  }),
  defineRoute({
    method: 'get',
    path: '/people/{id}',
    operationId: 'getPerson',
    summary: 'One person with the history of their roles',
    tag: 'people',
    params: byId,
    response: personDetail,
    handle: (ctx, { params }) => getPerson(ctx, params.id),
  }),
  defineRoute({
    method: 'post',
    path: '/people/{id}/deactivate',
    operationId: 'deactivatePerson',
    summary:
      'Always 403: deactivating a leaver takes a fresh proof in the console, which an API token cannot give',
    tag: 'people',
    params: byId,
    body: deactivatePersonInput.omit({ personId: true }),
    response: personDetail,
    async handle(ctx, { params, body }) {
      await verbs['access.deactivatePerson'].run(ctx, { personId: params.id, reason: body.reason });
      return getPerson(ctx, params.id);
    },
  }),
  defineRoute({
    method: 'post',
    path: '/people/{id}/reactivate',
    operationId: 'reactivatePerson',
    summary: 'Let a person sign in again; roles are granted anew',
    tag: 'people',
    params: byId,
    response: personDetail,
    async handle(ctx, { params }) {
      await verbs['access.reactivatePerson'].run(ctx, { personId: params.id });
      return getPerson(ctx, params.id);
    },
  }),
  defineRoute({
    method: 'get',
    path: '/groups',
    operationId: 'listGroups',
    summary: 'Groups with their members, for admins and auditors',
    tag: 'people',
    response: z.object({ items: z.array(group) }),
    handle: async (ctx) => ({ items: await listGroups(ctx) }),
  }),
];
