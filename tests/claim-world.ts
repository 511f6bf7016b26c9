import { randomBytes } from 'node:crypto';
import { type SubmittedClaim, submitClaim } from '#lib/approvals/submit-claim.ts';
import { toCodeChallenge } from '#lib/oauth/pkce.ts';
import type { PersonActor } from '#lib/platform/actor.ts';
import { type OpenedHandle, openHandle } from '#lib/registration/open-handle.ts';
import { ctxOf, type GateCtx } from '../gate/context.ts';
import { approveSigned } from './approvals.ts';
import { createServer } from './credentials-world.ts';
import type { TestGate } from './gate.ts';
import { addPerson } from './people.ts';

export type Person = PersonActor & { sessionId: string };

export type ClaimWorld = {
  olive: Person;
  oscar: Person;
  ava: Person;
  server: { serverId: string; resource: string; tools: string[] };
  as(person: Person, overrides?: Partial<GateCtx>): GateCtx;
};

/** Two owners, an approver and a server with two tools. */
export async function createClaimWorld(gate: TestGate): Promise<ClaimWorld> {
  const { db } = gate.database;
  const [olive, oscar, ava] = await Promise.all([
    addPerson(db, 'olive', ['owner']),
    addPerson(db, 'oscar', ['owner']),
    addPerson(db, 'ava', ['approver']),
  ]);
  const as = (actor: Person, overrides: Partial<GateCtx> = {}): GateCtx => ({
    ...ctxOf(gate.running.gate, { actor, address: '127.0.0.1', userAgent: 'Browser' }),
    ...overrides,
  });
  const server = await createServer(as(ava), [
    { name: 'read_note' },
    { name: 'delete_note', class: 'destructive', risk: 'high' },
  ]);
  return { olive, oscar, ava, server, as };
}

export const loopbackClient = {
  client_name: 'Codex',
  redirect_uris: ['http://127.0.0.1:49152/callback'],
  grant_types: ['authorization_code', 'refresh_token'],
  token_endpoint_auth_method: 'none',
};

export async function registerClient(gate: TestGate, metadata: object = loopbackClient): Promise<string> {
  const answer = await gate.ask('/register', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(metadata),
  });
  if (answer.status !== 201) throw new Error(`registration answered ${answer.status}: ${answer.text}`);
  return answer.json().client_id as string;
}

export type SignIn = { path: string; verifier: string; state: string };

/** The URL an unmodified client opens in the browser. */
export function signIn(clientId: string, resource: string, overrides: Record<string, string> = {}): SignIn {
  const verifier = randomBytes(32).toString('base64url');
  const state = randomBytes(12).toString('base64url');
  const query = new URLSearchParams({
    response_type: 'code',
    client_id: clientId,
    redirect_uri: 'http://127.0.0.1:50123/callback',
    code_challenge: toCodeChallenge(verifier),
    code_challenge_method: 'S256',
    state,
    resource,
    ...overrides,
  });
  return { path: `/authorize?${query}`, verifier, state };
}

/** Opens it as a browser does and returns the handle the console gets. */
export async function openInBrowser(gate: TestGate, path: string): Promise<string> {
  const answer = await gate.ask(path, { headers: { accept: 'text/html' } });
  const location = new URL(answer.headers.location ?? 'http://nowhere.invalid/');
  const handle = location.searchParams.get('handle');
  if (answer.status !== 303 || !handle)
    throw new Error(`authorize answered ${answer.status}: ${answer.text.slice(0, 300)}`);
  return handle;
}

export async function claimContent(world: ClaimWorld, toolNames: readonly string[] = ['read_note']) {
  const tools = await world.as(world.ava).db.prisma.tool.findMany({
    where: { serverId: world.server.serverId, name: { in: [...toolNames] } },
    select: { id: true },
  });
  return {
    agentName: 'Release notes',
    deputyId: null,
    purpose: {
      task: 'Collect the release notes of the week.',
      systems: ['notes'],
      dataClass: 'internal' as const,
      attended: true,
      endCondition: 'When the release is out.',
      ticket: null,
    },
    lifetimeSeconds: 7 * 24 * 3600,
    tools: tools.map((tool) => ({
      toolId: tool.id,
      justification: 'Needed for the summary.',
      constraints: [],
      toolSetVersionId: null,
    })),
  };
}

export type Claimed = SubmittedClaim & { opened: OpenedHandle; handle: string };

/** Registers nothing: claims the client of this handle for the person, with everything a form would send. */
export async function claim(
  world: ClaimWorld,
  person: Person,
  handle: string,
  toolNames?: readonly string[],
): Promise<Claimed> {
  const ctx = world.as(person);
  const opened = await openHandle(ctx, { handle });
  const submitted = await submitClaim(ctx, {
    handle,
    claimKey: opened.claimKey,
    ...(await claimContent(world, toolNames)),
  });
  return { ...submitted, opened, handle };
}

export async function approve(world: ClaimWorld, claimed: { id: string; snapshotDigest: string }) {
  return approveSigned(world.as(world.ava), {
    requestId: claimed.id,
    snapshotDigest: claimed.snapshotDigest,
  });
}
