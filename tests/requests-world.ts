import { exportJWK, generateKeyPair } from 'jose';
import { createRequest, createRequestInput } from '#lib/approvals/create-request.ts';
import { readSnapshotDigest } from '#lib/approvals/store.ts';
import type { Actor } from '#lib/platform/actor.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import type { Db } from '#lib/platform/db.ts';
import { addTool, createServer } from './credentials-world.ts';
import { TestClock, testCtx } from './ctx.ts';
import { addPerson } from './people.ts';

type TestPerson = Awaited<ReturnType<typeof addPerson>>;

/** People with their roles, one server with tools of every class, and a clock that all of them share. */
export type RequestsWorld = {
  db: Db;
  clock: TestClock;
  olive: TestPerson;
  oscar: TestPerson;
  ava: TestPerson;
  abel: TestPerson;
  audrey: TestPerson;
  adam: TestPerson;
  serverId: string;
  resource: string;
  as(actor: Actor, overrides?: Partial<Ctx>): Ctx;
};

export const purpose = {
  task: 'Keep the team’s notes tidy and current',
  systems: ['notes'],
  dataClass: 'internal' as const,
  attended: true,
  endCondition: 'When the handbook is published',
  ticket: null,
};

export async function buildRequestsWorld(db: Db): Promise<RequestsWorld> {
  const clock = new TestClock();
  const as = (actor: Actor, overrides: Partial<Ctx> = {}) => testCtx(db, actor, { clock, ...overrides });
  const [olive, oscar, ava, abel, audrey, adam] = await Promise.all([
    addPerson(db, 'olive', ['owner']),
    addPerson(db, 'oscar', ['owner']),
    addPerson(db, 'ava', ['approver']),
    addPerson(db, 'abel', ['approver']),
    addPerson(db, 'audrey', ['auditor']),
    addPerson(db, 'adam', ['admin']),
  ]);
  const server = await createServer(as({ kind: 'system', name: 'test' }), [
    { name: 'delete_note', class: 'destructive', risk: 'high' },
    { name: 'list_notes', class: 'read', risk: 'low' },
    { name: 'read_note', class: 'read', risk: 'low' },
    { name: 'write_note', class: 'write', risk: 'medium' },
  ]);
  return {
    db,
    clock,
    olive,
    oscar,
    ava,
    abel,
    audrey,
    adam,
    serverId: server.serverId,
    resource: server.resource,
    as,
  };
}

/** The server says something else about a tool now. */
export async function redefineTool(
  world: RequestsWorld,
  name: string,
  more: { class?: string; risk?: string } = {},
) {
  await addTool(world.as({ kind: 'system', name: 'test' }), world.serverId, { name, ...more });
}

export async function newJwks() {
  const { publicKey } = await generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true });
  return { keys: [{ ...(await exportJWK(publicKey)), kid: `key-${Math.random()}` }] };
}

export type FileOptions = {
  owner?: Actor;
  tools?: readonly string[];
  lifetimeSeconds?: number;
  submit?: boolean;
  carried?: boolean;
  dataClass?: 'public' | 'internal' | 'confidential' | 'restricted';
  agentName?: string;
};

/** Files a request of olive's for a headless agent; submitted unless told otherwise. */
export async function fileRequest(world: RequestsWorld, options: FileOptions = {}) {
  const created = await createRequest(
    world.as(options.owner ?? world.olive),
    createRequestInput.parse({
      kind: 'new',
      agentName: options.agentName ?? 'Notes keeper',
      client: options.carried ? { kind: 'carried' } : { kind: 'key', jwks: await newJwks() },
      purpose: { ...purpose, dataClass: options.dataClass ?? 'internal' },
      lifetimeSeconds: options.lifetimeSeconds ?? 8 * 3600,
      tools: (options.tools ?? ['list_notes', 'read_note', 'write_note']).map((name) => ({
        serverId: world.serverId,
        name,
      })),
      submit: options.submit ?? true,
    }),
  );
  return created;
}

export async function digestNow(world: RequestsWorld, requestId: string): Promise<string> {
  return readSnapshotDigest(world.db.prisma, requestId);
}

/** Kinds of events about a request, oldest first. */
export async function eventsOf(world: RequestsWorld, requestId: string): Promise<string[]> {
  const events = await world.db.prisma.auditEvent.findMany({
    where: { requestRef: requestId },
    orderBy: { id: 'asc' },
    select: { kind: true },
  });
  return events.map((event) => event.kind);
}

export async function stateOf(world: RequestsWorld, requestId: string) {
  return world.db.prisma.registrationRequest.findUniqueOrThrow({
    where: { id: requestId },
    include: { agent: { include: { instances: true, bindings: true } }, votes: true },
  });
}
