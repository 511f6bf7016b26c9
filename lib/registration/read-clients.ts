import { z } from 'zod';
import { hasRole, requirePerson } from '#lib/access/require.ts';
import { buildDossier, describeRedirect } from '#lib/evidence/dossier.ts';
import { type EvidenceFact, sortFacts } from '#lib/evidence/fact.ts';
import type { RegisteredMetadata } from '#lib/oauth/client-metadata.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { decodeCursor, type Page, pageQuery, toPage } from '#lib/platform/cursor.ts';
import { type Prisma, withoutSecrets } from '#lib/platform/db.ts';
import { NotFound } from '#lib/platform/errors.ts';
import { queryText } from '#lib/platform/query-text.ts';
import { changedMembers } from './material-digest.ts';

/** What a list shows of a client: known or forgotten by itself, the rest by its instances. */
export type ClientState =
  | 'quarantined'
  | 'pending'
  | 'active'
  | 'suspended'
  | 'rejected'
  | 'revoked'
  | 'expired'
  | 'unclaimed'
  | 'forgotten';

export const clientStates: readonly ClientState[] = [
  'quarantined',
  'pending',
  'active',
  'suspended',
  'rejected',
  'revoked',
  'expired',
  'unclaimed',
  'forgotten',
];

export type ClientSummary = {
  id: string;
  kind: string;
  name: string;
  state: ClientState;
  /** Where the codes go: hosts, each once. */
  redirectHosts: string[];
  fingerprint: string;
  source: string;
  owners: { personId: string; displayName: string; state: string }[];
  agents: { id: string; name: string; state: string }[];
  registeredAt: string;
  quarantineEndsAt: string | null;
};

export const clientsQuery = z.object({
  ...pageQuery,
  state: z
    .enum([
      'quarantined',
      'pending',
      'active',
      'suspended',
      'rejected',
      'revoked',
      'expired',
      'unclaimed',
      'forgotten',
    ])
    .optional(),
  kind: z.enum(['dynamic', 'metadata document', 'manual']).optional(),
  source: queryText.max(100).optional().meta({ description: 'Network prefix the registration came from.' }),
  fingerprint: queryText.max(100).optional(),
  q: queryText.trim().max(200).optional().meta({ description: 'Part of a name, or a client_id.' }),
});
export type ClientsQuery = z.output<typeof clientsQuery>;

const instanceSelect = {
  select: {
    id: true,
    ownerId: true,
    state: true,
    stateCause: true,
    stateSince: true,
    createdAt: true,
    agent: { select: { id: true, name: true, state: true } },
  },
  orderBy: { createdAt: 'desc' },
} as const;

/** What a person may see: everything for approvers, auditors and admins; their own and their team's for owners. */
async function visible(ctx: Ctx): Promise<Prisma.ClientWhereInput> {
  const person = requirePerson(ctx);
  if (hasRole(person, 'approver', 'auditor', 'admin')) return {};
  const teams = await ctx.db.prisma.groupMember.findMany({
    where: { personId: person.personId, endedAt: null, group: { kind: 'owner team' } },
    select: { groupId: true },
  });
  const mates = await ctx.db.prisma.groupMember.findMany({
    where: { groupId: { in: teams.map((team) => team.groupId) }, endedAt: null },
    select: { personId: true },
  });
  const ownerIds = [person.personId, ...mates.map((mate) => mate.personId)];
  return { instances: { some: { ownerId: { in: ownerIds } } } };
}

function inState(state: ClientState): Prisma.ClientWhereInput {
  switch (state) {
    case 'quarantined':
      return { forgottenAt: null, claimedAt: null };
    case 'pending':
      return { forgottenAt: null, instances: { some: { state: 'quarantined' } } };
    case 'active':
      return { instances: { some: { state: 'active', agent: { state: 'active' } } } };
    case 'suspended':
      return {
        instances: {
          some: { OR: [{ state: 'suspended' }, { state: 'active', agent: { state: 'suspended' } }] },
        },
      };
    case 'unclaimed':
      return { forgottenCause: 'unclaimed' };
    case 'forgotten':
      return { forgottenCause: { in: ['evicted', 'ended by approver', 'forgotten', 'deleted by client'] } };
    default:
      return {
        forgottenAt: null,
        instances: { some: { state }, none: { state: { in: ['quarantined', 'active', 'suspended'] } } },
      };
  }
}

function matching(query: Omit<ClientsQuery, 'limit' | 'cursor'>): Prisma.ClientWhereInput {
  return {
    AND: [
      query.state ? inState(query.state) : {},
      query.kind ? { kind: query.kind } : {},
      query.source ? { sourcePrefix: query.source } : {},
      query.fingerprint ? { fingerprint: query.fingerprint } : {},
      query.q
        ? { OR: [{ name: { contains: escapeLike(query.q), mode: 'insensitive' } }, { id: query.q }] }
        : {},
    ],
  };
}

/** Wildcards of LIKE mean themselves in a search. */
function escapeLike(text: string): string {
  return text.replace(/[\\%_]/g, (character) => `\\${character}`);
}

/** Clients the person may see, newest first. */
export async function listClients(ctx: Ctx, query: ClientsQuery): Promise<Page<ClientSummary>> {
  const key = decodeCursor(query.cursor, 2);
  const [at, id] = key ?? [];
  const rows = await ctx.db.prisma.client.findMany({
    where: {
      AND: [
        await visible(ctx),
        matching(query),
        at && id
          ? { OR: [{ registeredAt: { lt: new Date(at) } }, { registeredAt: new Date(at), id: { lt: id } }] }
          : {},
      ],
    },
    orderBy: [{ registeredAt: 'desc' }, { id: 'desc' }],
    take: query.limit + 1,
    omit: withoutSecrets.client,
    include: { instances: instanceSelect },
  });
  const names = await namesOf(
    ctx,
    rows.flatMap((row) => row.instances.map((instance) => instance.ownerId)),
  );
  const page = toPage(rows, query.limit, (row) => [row.registeredAt.toISOString(), row.id]);
  return { items: page.items.map((row) => toSummary(row, names)), nextCursor: page.nextCursor };
}

/** Look-alikes as one: clients of one fingerprint that are in one state. Display only; each keeps its own identity. */
export type ClientGroup = { fingerprint: string; latest: ClientSummary; count: number; sources: number };

/** The same page with look-alikes collapsed into one entry with a count. */
export async function listClientGroups(
  ctx: Ctx,
  query: ClientsQuery,
): Promise<{ groups: ClientGroup[]; nextCursor: string | null }> {
  const page = await listClients(ctx, query);
  if (query.fingerprint) {
    // Somebody opened the group to see its members.
    const groups = page.items.map((latest) => ({
      fingerprint: latest.fingerprint,
      latest,
      count: 1,
      sources: 1,
    }));
    return { groups, nextCursor: page.nextCursor };
  }
  const grouped = Map.groupBy(page.items, (item) => `${item.fingerprint} ${item.state}`);
  const counts = await ctx.db.prisma.client.groupBy({
    by: ['fingerprint'],
    where: {
      AND: [
        await visible(ctx),
        matching(query),
        { fingerprint: { in: [...new Set(page.items.map((item) => item.fingerprint))] } },
      ],
    },
    _count: { _all: true },
  });
  const total = new Map(counts.map((entry) => [entry.fingerprint, entry._count._all]));
  return {
    groups: [...grouped.values()].map((items) => {
      const [latest] = items as [ClientSummary, ...ClientSummary[]];
      const states = new Set(
        [...grouped.values()].filter(([first]) => first?.fingerprint === latest.fingerprint),
      );
      return {
        fingerprint: latest.fingerprint,
        latest,
        // With a state chosen, or only one state on the page, the count covers the pages to come as well.
        count: states.size === 1 ? (total.get(latest.fingerprint) ?? items.length) : items.length,
        sources: new Set(items.map((item) => item.source)).size,
      };
    }),
    nextCursor: page.nextCursor,
  };
}

export type ClientFacets = {
  states: { value: ClientState; count: number }[];
  kinds: { value: string; count: number }[];
  sources: { value: string; count: number }[];
};

/** Counts for the filters of the list, over everything the person may see. */
export async function readClientFacets(ctx: Ctx): Promise<ClientFacets> {
  const { prisma } = ctx.db;
  const where = await visible(ctx);
  const [states, kinds, sources] = await Promise.all([
    Promise.all(
      clientStates.map(async (value) => ({
        value,
        count: await prisma.client.count({ where: { AND: [where, inState(value)] } }),
      })),
    ),
    prisma.client.groupBy({ by: ['kind'], where, _count: { _all: true } }),
    prisma.client.groupBy({
      by: ['sourcePrefix'],
      where: { AND: [where, { sourcePrefix: { not: '' } }] },
      _count: { _all: true },
      orderBy: { _count: { id: 'desc' } },
      take: 12,
    }),
  ]);
  return {
    states: states.filter((state) => state.count > 0),
    kinds: kinds.map((entry) => ({ value: entry.kind, count: entry._count._all })),
    sources: sources.map((entry) => ({ value: entry.sourcePrefix, count: entry._count._all })),
  };
}

export type ClientDetail = ClientSummary & {
  metadata: unknown;
  metadataDigest: string;
  redirectUris: string[];
  tokenEndpointAuthMethod: string;
  grantTypes: string[];
  custodian: string;
  sourceAddress: string | null;
  userAgent: string | null;
  claimedAt: string | null;
  forgottenAt: string | null;
  forgottenCause: string | null;
  sameSoftware: number;
  /** What it asked to be from now on, member by member; its owner asks for it with a change of the agent, or discards it. */
  pending: {
    at: string;
    changes: { member: string; before: string | null; after: string | null }[];
    agentId: string | null;
    isOwn: boolean;
  } | null;
  instances: {
    id: string;
    state: string;
    stateCause: string | null;
    stateSince: string;
    owner: string;
    agent: { id: string; name: string; state: string } | null;
  }[];
  facts: {
    kind: string;
    status: string;
    value: Record<string, string | number | boolean | string[]>;
    method: string;
    establishedAt: string;
  }[];
  history: { id: string; at: string; kind: string; outcome: string; actor: string; reason: string }[];
};

/** One client with what is known of it. Throws `NotFound` for one the person may not see. */
export async function getClient(ctx: Ctx, clientId: string): Promise<ClientDetail> {
  const { prisma } = ctx.db;
  const row = await prisma.client.findFirst({
    where: { AND: [{ id: clientId }, await visible(ctx)] },
    omit: withoutSecrets.client,
    include: { instances: instanceSelect },
  });
  if (!row) throw new NotFound();
  const person = requirePerson(ctx);
  const seesAll = hasRole(person, 'approver', 'auditor', 'admin');
  // One metadata document serves many people: an owner sees their own instances, not who else uses it.
  const instances = seesAll
    ? row.instances
    : row.instances.filter((instance) => instance.ownerId === person.personId);
  const [names, evidence, events, sameSoftware] = await Promise.all([
    namesOf(
      ctx,
      instances.map((instance) => instance.ownerId),
    ),
    prisma.evidence.findMany({
      // Facts of other people's claims of the same document say where those people were.
      where: seesAll
        ? { clientId }
        : { clientId, OR: [{ revisionId: null }, { revision: { request: { ownerId: person.personId } } }] },
      orderBy: { establishedAt: 'desc' },
      take: 60,
    }),
    prisma.auditEvent.findMany({
      where: {
        OR: [
          { subjectId: clientId },
          {
            clientId,
            kind: { in: ['client.claim', 'client.link', 'transaction.continue', 'transaction.end'] },
          },
        ],
        ...(seesAll ? {} : { actorId: { in: [person.personId] } }),
      },
      orderBy: { at: 'desc' },
      take: 50,
      select: {
        id: true,
        at: true,
        kind: true,
        outcome: true,
        actorKind: true,
        actorName: true,
        reason: true,
      },
    }),
    prisma.client.count({ where: { fingerprint: row.fingerprint, NOT: { id: clientId } } }),
  ]);
  return {
    ...toSummary({ ...row, instances }, names),
    metadata: row.metadata,
    metadataDigest: row.metadataDigest,
    redirectUris: row.redirectUris,
    tokenEndpointAuthMethod: row.tokenEndpointAuthMethod,
    grantTypes: row.grantTypes,
    custodian: row.custodian,
    sourceAddress: row.sourceAddress,
    userAgent: row.userAgent,
    claimedAt: row.claimedAt?.toISOString() ?? null,
    forgottenAt: row.forgottenAt?.toISOString() ?? null,
    forgottenCause: row.forgottenCause,
    sameSoftware,
    pending: pendingOf(row, instances, person.personId),
    instances: instances.map((instance) => ({
      id: instance.id,
      state: instance.state,
      stateCause: instance.stateCause,
      stateSince: instance.stateSince.toISOString(),
      owner: names.get(instance.ownerId) ?? instance.ownerId,
      agent: instance.agent,
    })),
    facts: sortFacts<ShownFact>(evidence.length > 0 ? latestPerKind(evidence) : unclaimedFacts(ctx, row)).map(
      (fact) => ({
        kind: fact.kind,
        status: fact.status,
        value: fact.value as ClientDetail['facts'][number]['value'],
        method: fact.method,
        establishedAt: fact.establishedAt.toISOString(),
      }),
    ),
    history: events.map((event) => ({
      id: event.id,
      at: event.at.toISOString(),
      kind: event.kind,
      outcome: event.outcome,
      actor: event.actorName || event.actorKind,
      reason: event.reason,
    })),
  };
}

function pendingOf(
  row: { metadata: unknown; pendingMetadata: unknown; pendingAt: Date | null },
  instances: readonly { ownerId: string; state: string; agent: { id: string } | null }[],
  personId: string,
): ClientDetail['pending'] {
  if (!row.pendingAt) return null;
  const [before, after] = [
    row.metadata as Record<string, unknown>,
    row.pendingMetadata as Record<string, unknown>,
  ];
  const written = (value: unknown) =>
    value === undefined ? null : typeof value === 'string' ? value : JSON.stringify(value);
  const own = instances.find(({ ownerId, state }) => ownerId === personId && state === 'active');
  return {
    at: row.pendingAt.toISOString(),
    changes: changedMembers(before as RegisteredMetadata, after as RegisteredMetadata).names.map(
      (member) => ({
        member,
        before: written(before[member]),
        after: written(after[member]),
      }),
    ),
    agentId: own?.agent?.id ?? null,
    isOwn: own !== undefined,
  };
}

/** A fact as stored or as just established. */
type ShownFact = { kind: string; status: string; value: unknown; method: string; establishedAt: Date };

/** What can be said of a client nobody has claimed yet: nothing is stored for it before somebody answers for it. */
function unclaimedFacts(
  ctx: Ctx,
  row: Row & { metadata: unknown; sourceAddress: string | null; userAgent: string | null },
): EvidenceFact[] {
  const metadata = row.metadata as Partial<RegisteredMetadata>;
  return buildDossier({
    client: {
      id: row.id,
      kind: row.kind as 'dynamic',
      name: row.name,
      softwareId: metadata.software_id ?? null,
      softwareVersion: metadata.software_version ?? null,
      clientUri: metadata.client_uri ?? null,
      redirectUris: row.redirectUris,
      documentDigest: null,
      registration: {
        at: row.registeredAt,
        address: row.sourceAddress,
        userAgent: row.userAgent,
        sourceName: 'Intake',
      },
      keyThumbprints: [],
    },
    redirectUri: null,
    device: null,
    opened: null,
    claimed: { address: null, userAgent: null },
    otherOwner: false,
    earlierRefusals: [],
    now: ctx.clock.now(),
  });
}

/** The newest word on each fact: several claims of one client say the same things again. */
function latestPerKind<Row extends { kind: string; value: unknown }>(rows: readonly Row[]): Row[] {
  const seen = new Set<string>();
  return rows.filter((row) => {
    const key = `${row.kind} ${JSON.stringify(row.value)}`;
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}

async function namesOf(ctx: Ctx, personIds: readonly string[]): Promise<Map<string, string>> {
  const people = await ctx.db.prisma.person.findMany({
    where: { id: { in: [...new Set(personIds)] } },
    select: { id: true, displayName: true },
  });
  return new Map(people.map((person) => [person.id, person.displayName]));
}

type Row = {
  id: string;
  kind: string;
  name: string;
  redirectUris: string[];
  fingerprint: string;
  sourcePrefix: string;
  registeredAt: Date;
  quarantineEndsAt: Date;
  claimedAt: Date | null;
  forgottenAt: Date | null;
  forgottenCause: string | null;
  instances: { ownerId: string; state: string; agent: { id: string; name: string; state: string } | null }[];
};

function toSummary(row: Row, names: ReadonlyMap<string, string>): ClientSummary {
  const agents = new Map(row.instances.flatMap(({ agent }) => (agent ? [[agent.id, agent] as const] : [])));
  return {
    id: row.id,
    kind: row.kind,
    name: row.name,
    state: stateOf(row),
    redirectHosts: [...new Set(row.redirectUris.map((uri) => describeRedirect(uri).host))],
    fingerprint: row.fingerprint,
    source: row.sourcePrefix,
    owners: row.instances.map((instance) => ({
      personId: instance.ownerId,
      displayName: names.get(instance.ownerId) ?? instance.ownerId,
      state: instance.state,
    })),
    agents: [...agents.values()],
    registeredAt: row.registeredAt.toISOString(),
    quarantineEndsAt: row.claimedAt || row.forgottenAt ? null : row.quarantineEndsAt.toISOString(),
  };
}

/** The state a list shows: the liveliest of its instances, else that of the client itself. */
function stateOf(row: Row): ClientState {
  if (row.forgottenAt) return row.forgottenCause === 'unclaimed' ? 'unclaimed' : 'forgotten';
  const states = row.instances.map((instance) =>
    instance.state === 'active' && instance.agent?.state === 'suspended' ? 'suspended' : instance.state,
  );
  if (states.includes('active')) return 'active';
  if (states.includes('suspended')) return 'suspended';
  if (states.includes('quarantined')) return 'pending';
  const [latest] = states;
  if (latest === 'rejected' || latest === 'revoked' || latest === 'expired') return latest;
  return 'quarantined';
}
