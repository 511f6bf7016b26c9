import { z } from 'zod';
import type { Role } from '#lib/platform/actor.ts';
import { addSeconds } from '#lib/platform/clock.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { decodeCursor, type Page, pageQuery, toPage } from '#lib/platform/cursor.ts';
import type { Prisma } from '#lib/platform/db.ts';
import { NotFound } from '#lib/platform/errors.ts';
import { queryText } from '#lib/platform/query-text.ts';
import { waitsForSecondAdmin } from './invitations.ts';
import { sessionIdleSeconds } from './read-actor.ts';
import { relyingPartyOf } from './relying-party.ts';
import { hasRole, requirePerson, requireRole, requireSession } from './require.ts';
import { roleInput } from './roles.ts';

export type PersonRow = {
  personId: string;
  displayName: string;
  email: string;
  state: 'active' | 'deactivated';
  roles: Role[];
  waitingRoles: Role[];
  groups: string[];
  lastSeenAt: string | null;
  createdAt: string;
};

export const listPeopleQuery = z.object({
  ...pageQuery,
  search: queryText.trim().max(100).optional(),
  role: roleInput.optional(),
  state: z.enum(['active', 'deactivated']).optional(),
});

/** People by name, for those who manage or audit them. */
export async function listPeople(
  ctx: Ctx,
  query: z.output<typeof listPeopleQuery>,
): Promise<Page<PersonRow>> {
  requireRole(ctx, 'admin', 'auditor');
  const after = decodeCursor(query.cursor, 2);
  const where: Prisma.PersonWhereInput[] = [];
  if (query.state) where.push({ state: query.state });
  if (query.role) where.push({ roles: { some: { role: query.role, endedAt: null } } });
  if (query.search) {
    // Prisma escapes nothing inside LIKE: the wildcards of a pattern are ordinary characters here.
    const contains = query.search.replaceAll(/[\\%_]/g, '\\$&');
    where.push({
      OR: [{ displayName: { contains, mode: 'insensitive' } }, { email: { contains, mode: 'insensitive' } }],
    });
  }
  if (after) {
    const [displayName = '', id = ''] = after;
    where.push({ OR: [{ displayName: { gt: displayName } }, { displayName, id: { gt: id } }] });
  }
  const rows = await ctx.db.prisma.person.findMany({
    where: { AND: where },
    orderBy: [{ displayName: 'asc' }, { id: 'asc' }],
    take: query.limit + 1,
    select: {
      id: true,
      displayName: true,
      email: true,
      state: true,
      createdAt: true,
      roles: { where: { endedAt: null }, select: { role: true, effectiveAt: true } },
      memberships: { where: { endedAt: null }, select: { group: { select: { name: true } } } },
      sessions: { orderBy: { lastSeenAt: 'desc' }, take: 1, select: { lastSeenAt: true } },
    },
  });
  return toPage(
    rows.map((row) => ({
      personId: row.id,
      displayName: row.displayName,
      email: row.email,
      state: row.state as PersonRow['state'],
      roles: row.roles.filter((grant) => grant.effectiveAt).map((grant) => grant.role as Role),
      waitingRoles: row.roles.filter((grant) => !grant.effectiveAt).map((grant) => grant.role as Role),
      groups: row.memberships.map((membership) => membership.group.name),
      lastSeenAt: row.sessions[0]?.lastSeenAt.toISOString() ?? null,
      createdAt: row.createdAt.toISOString(),
    })),
    query.limit,
    (row) => [row.displayName, row.personId],
  );
}

/** How many people hold each role in effect, and how many cannot sign in: the facets of the list. */
export async function countPeople(ctx: Ctx): Promise<Record<Role | 'active' | 'deactivated', number>> {
  requireRole(ctx, 'admin', 'auditor');
  const [states, grants] = await Promise.all([
    ctx.db.prisma.person.groupBy({ by: ['state'], _count: true }),
    ctx.db.prisma.roleGrant.groupBy({
      by: ['role'],
      where: { endedAt: null, effectiveAt: { lte: ctx.clock.now() }, person: { state: 'active' } },
      _count: true,
    }),
  ]);
  const countOf = (rows: { _count: number }[], match: (row: never) => boolean) =>
    rows.find((row) => match(row as never))?._count ?? 0;
  const role = (name: Role) => countOf(grants, (row: { role: string }) => row.role === name);
  const state = (name: string) => countOf(states, (row: { state: string }) => row.state === name);
  return {
    owner: role('owner'),
    approver: role('approver'),
    auditor: role('auditor'),
    admin: role('admin'),
    active: state('active'),
    deactivated: state('deactivated'),
  };
}

export type RoleGrantRow = {
  grantId: string;
  role: Role;
  /** `asleep`: a group's, and the provider has not been heard of its holder for too long. */
  state: 'in effect' | 'asleep' | 'waits for a second admin' | 'ended';
  grantedAt: string;
  grantedBy: string;
  /** The provider's group that gives it: it ends when its holder leaves the group. */
  providerGroup: string | null;
  grantedById: string | null;
  effectiveAt: string | null;
  confirmedBy: string | null;
  endedAt: string | null;
  endedBy: string | null;
};

export type SessionRow = {
  sessionId: string;
  isThisOne: boolean;
  state: 'open' | 'ended';
  endCause: string | null;
  authMethod: string;
  createdAt: string;
  lastSeenAt: string;
  expiresAt: string;
  endedAt: string | null;
  address: string | null;
  userAgent: string | null;
};

export type IdentityRow = { issuer: string; subject: string; createdAt: string; lastUsedAt: string };

export type KeyRow = {
  keyId: string;
  kind: 'passkey' | 'command line';
  name: string;
  /** Shared by the devices of an account rather than kept on one. Passkeys only. */
  backedUp: boolean;
  /** A passkey of the host name the console had before: nothing can be proved or signed with it here. */
  isElsewhere: boolean;
  state: 'live' | 'ended';
  createdAt: string;
  lastUsedAt: string | null;
  endedAt: string | null;
  endCause: string | null;
};

export type ApiTokenRow = {
  tokenId: string;
  name: string;
  state: 'live' | 'expired' | 'ended';
  createdAt: string;
  expiresAt: string;
  lastUsedAt: string | null;
  endedAt: string | null;
};

export type PersonFacts = {
  personId: string;
  displayName: string;
  email: string;
  subject: string;
  state: 'active' | 'deactivated';
  createdAt: string;
  deactivatedAt: string | null;
  grants: RoleGrantRow[];
  groups: { groupId: string; name: string; kind: string; addedAt: string }[];
  /** Their living accounts at identity providers. */
  identities: IdentityRow[];
  hasPassword: boolean;
  sessions: SessionRow[];
  apiTokens: ApiTokenRow[];
  /** Passkeys and signing keys, the living ones first. */
  keys: KeyRow[];
  /** Living agents this person answers for: what a deactivation would stop. */
  ownedAgents: number;
};

/** One person with the history of their roles. Uniform `NotFound` for whoever may not look. */
export async function getPerson(ctx: Ctx, personId: string): Promise<PersonFacts> {
  requireRole(ctx, 'admin', 'auditor');
  const person = await ctx.db.prisma.person.findUnique({
    where: { id: personId },
    include: {
      roles: { orderBy: { grantedAt: 'desc' } },
      memberships: { where: { endedAt: null }, include: { group: true }, orderBy: { addedAt: 'asc' } },
      identities: { where: { endedAt: null }, orderBy: { createdAt: 'asc' } },
      password: { select: { personId: true } },
    },
  });
  if (!person) throw new NotFound();
  const [names, sessions, apiTokens, keys, ownedAgents] = await Promise.all([
    namesOf(
      ctx,
      person.roles.flatMap((grant) => [grant.grantedById, grant.confirmedById, grant.endedById]),
    ),
    listSessionsOf(ctx, personId),
    listApiTokensOf(ctx, personId),
    listKeysOf(ctx, personId),
    ctx.db.prisma.agent.count({
      where: { ownerId: personId, state: { in: ['pending', 'active', 'suspended'] } },
    }),
  ]);
  const nameOf = (id: string | null) => (id ? (names.get(id) ?? id) : null);
  return {
    personId: person.id,
    displayName: person.displayName,
    email: person.email,
    subject: person.subject,
    state: person.state as PersonFacts['state'],
    createdAt: person.createdAt.toISOString(),
    deactivatedAt: person.deactivatedAt?.toISOString() ?? null,
    grants: person.roles.map((grant) => ({
      grantId: grant.id,
      role: grant.role as Role,
      state: grantState(grant, ctx.clock.now()),
      grantedAt: grant.grantedAt.toISOString(),
      grantedBy:
        nameOf(grant.grantedById) ?? (grant.providerGroup ? `the group ${grant.providerGroup}` : 'the host'),
      providerGroup: grant.providerGroup,
      grantedById: grant.grantedById,
      effectiveAt: grant.effectiveAt?.toISOString() ?? null,
      confirmedBy: nameOf(grant.confirmedById),
      endedAt: grant.endedAt?.toISOString() ?? null,
      endedBy: nameOf(grant.endedById),
    })),
    groups: person.memberships.map(({ group, addedAt }) => ({
      groupId: group.id,
      name: group.name,
      kind: group.kind,
      addedAt: addedAt.toISOString(),
    })),
    identities: person.identities.map(toIdentityRow),
    hasPassword: person.password !== null,
    sessions,
    apiTokens,
    keys,
    ownedAgents,
  };
}

function grantState(
  grant: { endedAt: Date | null; effectiveAt: Date | null; lapsesAt: Date | null },
  now: Date,
): RoleGrantRow['state'] {
  if (grant.endedAt) return 'ended';
  if (!grant.effectiveAt) return 'waits for a second admin';
  return grant.lapsesAt && grant.lapsesAt <= now ? 'asleep' : 'in effect';
}

/** One's own account, for the settings. */
export async function getOwnAccount(ctx: Ctx): Promise<{
  sessions: SessionRow[];
  apiTokens: ApiTokenRow[];
  keys: KeyRow[];
  groups: string[];
  identities: IdentityRow[];
  hasPassword: boolean;
}> {
  const { personId } = requireSession(ctx);
  const [sessions, apiTokens, keys, memberships, identities, password] = await Promise.all([
    listSessionsOf(ctx, personId),
    listApiTokensOf(ctx, personId),
    listKeysOf(ctx, personId),
    ctx.db.prisma.groupMember.findMany({
      where: { personId, endedAt: null },
      select: { group: { select: { name: true } } },
    }),
    ctx.db.prisma.personIdentity.findMany({
      where: { personId, endedAt: null },
      orderBy: { createdAt: 'asc' },
    }),
    ctx.db.prisma.passwordCredential.findUnique({ where: { personId }, select: { personId: true } }),
  ]);
  return {
    sessions,
    apiTokens,
    keys,
    groups: memberships.map((membership) => membership.group.name),
    identities: identities.map(toIdentityRow),
    hasPassword: password !== null,
  };
}

function toIdentityRow(row: {
  issuer: string;
  subject: string;
  createdAt: Date;
  lastUsedAt: Date;
}): IdentityRow {
  return {
    issuer: row.issuer,
    subject: row.subject,
    createdAt: row.createdAt.toISOString(),
    lastUsedAt: row.lastUsedAt.toISOString(),
  };
}

const shownEnded = 20;

async function listSessionsOf(ctx: Ctx, personId: string): Promise<SessionRow[]> {
  const now = ctx.clock.now();
  const rows = await ctx.db.prisma.personSession.findMany({
    where: { personId },
    orderBy: { lastSeenAt: 'desc' },
    take: 100,
    select: {
      id: true,
      authMethod: true,
      createdAt: true,
      lastSeenAt: true,
      expiresAt: true,
      endedAt: true,
      endCause: true,
      address: true,
      userAgent: true,
    },
  });
  const idleSince = addSeconds(now, -sessionIdleSeconds);
  const sessions = rows.map((row): SessionRow => {
    const lapsed = row.expiresAt <= now || row.lastSeenAt <= idleSince;
    return {
      sessionId: row.id,
      isThisOne: ctx.actor.kind === 'person' && ctx.actor.sessionId === row.id,
      state: row.endedAt || lapsed ? 'ended' : 'open',
      endCause: row.endCause ?? (lapsed ? 'expired' : null),
      authMethod: row.authMethod,
      createdAt: row.createdAt.toISOString(),
      lastSeenAt: row.lastSeenAt.toISOString(),
      expiresAt: row.expiresAt.toISOString(),
      endedAt: row.endedAt?.toISOString() ?? null,
      address: row.address,
      userAgent: row.userAgent,
    };
  });
  const open = sessions.filter((session) => session.state === 'open');
  const ended = sessions.filter((session) => session.state === 'ended').slice(0, shownEnded);
  return [...open.sort((a, b) => Number(b.isThisOne) - Number(a.isThisOne)), ...ended];
}

async function listApiTokensOf(ctx: Ctx, personId: string): Promise<ApiTokenRow[]> {
  const now = ctx.clock.now();
  const rows = await ctx.db.prisma.apiToken.findMany({
    where: { personId },
    orderBy: { createdAt: 'desc' },
    take: 100,
    select: { id: true, name: true, createdAt: true, expiresAt: true, lastUsedAt: true, endedAt: true },
  });
  return rows.map((row) => ({
    tokenId: row.id,
    name: row.name,
    state: row.endedAt ? 'ended' : row.expiresAt <= now ? 'expired' : 'live',
    createdAt: row.createdAt.toISOString(),
    expiresAt: row.expiresAt.toISOString(),
    lastUsedAt: row.lastUsedAt?.toISOString() ?? null,
    endedAt: row.endedAt?.toISOString() ?? null,
  }));
}

async function listKeysOf(ctx: Ctx, personId: string): Promise<KeyRow[]> {
  const { rpId } = relyingPartyOf(ctx.site);
  const rows = await ctx.db.prisma.personKey.findMany({
    where: { personId },
    orderBy: [{ endedAt: { sort: 'desc', nulls: 'first' } }, { createdAt: 'desc' }],
    take: 50,
  });
  return rows.map((row) => ({
    keyId: row.id,
    kind: row.kind as KeyRow['kind'],
    name: row.name,
    backedUp: row.backedUp,
    isElsewhere: row.kind === 'passkey' && row.rpId !== rpId,
    state: row.endedAt ? 'ended' : 'live',
    createdAt: row.createdAt.toISOString(),
    lastUsedAt: row.lastUsedAt?.toISOString() ?? null,
    endedAt: row.endedAt?.toISOString() ?? null,
    endCause: row.endCause,
  }));
}

export type GroupRow = {
  groupId: string;
  name: string;
  kind: string;
  createdAt: string;
  members: { personId: string; displayName: string; state: string; addedAt: string }[];
};

/** All groups with their members: an installation is one organisation, its groups fit on a page. */
export async function listGroups(ctx: Ctx): Promise<GroupRow[]> {
  requireRole(ctx, 'admin', 'auditor');
  const groups = await ctx.db.prisma.group.findMany({
    orderBy: { name: 'asc' },
    take: 500,
    include: {
      members: { where: { endedAt: null }, orderBy: { addedAt: 'asc' }, include: { person: true } },
    },
  });
  return groups.map((group) => ({
    groupId: group.id,
    name: group.name,
    kind: group.kind,
    createdAt: group.createdAt.toISOString(),
    members: group.members.map((member) => ({
      personId: member.personId,
      displayName: member.person.displayName,
      state: member.person.state,
      addedAt: member.addedAt.toISOString(),
    })),
  }));
}

export type InvitationRow = {
  invitationId: string;
  purpose: string;
  email: string | null;
  roles: Role[];
  createdBy: string;
  createdAt: string;
  expiresAt: string;
  /** A reset link of an approver or admin, until a second admin confirms it. */
  waits: boolean;
  /** Whether whoever asks may be that second admin. */
  canConfirm: boolean;
};

/** Links nobody has used yet and that still work. */
export async function listOpenInvitations(ctx: Ctx): Promise<InvitationRow[]> {
  const reader = requireRole(ctx, 'admin', 'auditor');
  const rows = await ctx.db.prisma.invitation.findMany({
    where: { redeemedAt: null, endedAt: null, expiresAt: { gt: ctx.clock.now() } },
    orderBy: { createdAt: 'desc' },
    take: 100,
    select: {
      id: true,
      purpose: true,
      email: true,
      roles: true,
      personId: true,
      createdById: true,
      confirmedAt: true,
      createdAt: true,
      expiresAt: true,
    },
  });
  const waiting = new Set<string>();
  for (const row of rows) if (await waitsForSecondAdmin(ctx.db.prisma, ctx, row)) waiting.add(row.id);
  const names = await namesOf(
    ctx,
    rows.map((row) => row.createdById),
  );
  return rows.map((row) => ({
    invitationId: row.id,
    purpose: row.purpose,
    email: row.email,
    roles: row.roles as Role[],
    createdBy: row.createdById ? (names.get(row.createdById) ?? row.createdById) : 'the host',
    createdAt: row.createdAt.toISOString(),
    expiresAt: row.expiresAt.toISOString(),
    waits: waiting.has(row.id),
    canConfirm:
      waiting.has(row.id) &&
      hasRole(reader, 'admin') &&
      row.createdById !== reader.personId &&
      row.personId !== reader.personId,
  }));
}

/** Who a signed-in person can ask for a role. */
export async function listAdminNames(ctx: Ctx): Promise<string[]> {
  requirePerson(ctx);
  return (await listHolders(ctx, 'admin')).map((person) => person.displayName);
}

export type Holder = { personId: string; subject: string; displayName: string };

/** Active people who hold a role in effect: who can decide, who can grant. For pages that name them, and notifications. */
export async function listHolders(
  ctx: Pick<Ctx, 'clock'> & { db: { prisma: Pick<Prisma.TransactionClient, 'person'> } },
  role: Role,
): Promise<Holder[]> {
  const people = await ctx.db.prisma.person.findMany({
    where: {
      state: 'active',
      roles: { some: { role, endedAt: null, effectiveAt: { lte: ctx.clock.now() } } },
    },
    orderBy: { displayName: 'asc' },
    take: 200,
    select: { id: true, subject: true, displayName: true },
  });
  return people.map((person) => ({
    personId: person.id,
    subject: person.subject,
    displayName: person.displayName,
  }));
}

/** People one shares an owner team with: whose requests and agents an owner also sees. Oneself included. */
export async function listTeamIds(ctx: Ctx): Promise<string[]> {
  const { personId } = requirePerson(ctx);
  const members = await ctx.db.prisma.groupMember.findMany({
    where: {
      endedAt: null,
      group: { kind: 'owner team', members: { some: { personId, endedAt: null } } },
    },
    select: { personId: true },
  });
  return [...new Set([personId, ...members.map((member) => member.personId)])];
}

/** Whether the actor may look at whatever belongs to this owner: all-seeing roles, the owner, or a team mate. */
export async function maySeeOwnedBy(ctx: Ctx, ownerId: string): Promise<boolean> {
  if (hasRole(ctx.actor, 'approver', 'auditor', 'admin')) return true;
  if (ctx.actor.kind !== 'person') return false;
  return ctx.actor.personId === ownerId || (await listTeamIds(ctx)).includes(ownerId);
}

async function namesOf(ctx: Ctx, ids: readonly (string | null)[]): Promise<Map<string, string>> {
  const people = await ctx.db.prisma.person.findMany({
    where: { id: { in: [...new Set(ids.filter((id) => id !== null))] } },
    select: { id: true, displayName: true },
  });
  return new Map(people.map((person) => [person.id, person.displayName]));
}
