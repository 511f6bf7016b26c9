import { type CryptoKey, exportJWK, generateKeyPair } from 'jose';
import { type Snapshot, type SnapshotTool, snapshotDigestOf, sortTools } from '#lib/agents/snapshot.ts';
import { deliverCode, prepareCode } from '#lib/credentials/authorization-codes.ts';
import { toCodeChallenge } from '#lib/oauth/pkce.ts';
import { addSeconds } from '#lib/platform/clock.ts';
import { randomToken, sha256 } from '#lib/platform/crypto.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { type Db, withTransaction } from '#lib/platform/db.ts';
import { newId } from '#lib/platform/ids.ts';
import { writeVote } from './approvals.ts';

/**
 * An approved agent as approvals leave it, written straight into the tables: what credentials are minted from. The
 * journeys prove that approvals write the same; these tests are about what comes after.
 */
export type ApprovedAgent = {
  ownerId: string;
  agentId: string;
  instanceId: string;
  clientId: string;
  serverId: string;
  resource: string;
  bindingId: string;
  bindingVersion: number;
  requestId: string;
  tools: string[];
  redirectUri: string;
  /** The client's private key, for `private_key_jwt`. */
  privateKey: CryptoKey | null;
  secret: string | null;
};

export type AgentOptions = {
  authMethod?: 'none' | 'private_key_jwt' | 'client_secret_basic' | 'client_secret_post';
  grantTypes?: string[];
  tools?: { name: string; class?: string; risk?: string }[];
  lifetimeSeconds?: number;
  clientClass?: 'interactive' | 'headless service';
  /** Bind to a server that exists already. */
  server?: { serverId: string; resource: string; tools: string[] };
  redirectUri?: string;
  attended?: boolean;
};

export const metadataDigest = 'sha256:as-approved';
let counter = 0;

export async function createOwner(ctx: Ctx): Promise<string> {
  const id = newId('person');
  await ctx.db.prisma.person.create({
    data: {
      id,
      subject: `local:${id}`,
      email: `${id}@example.com`,
      displayName: `Owner ${id.slice(-4)}`,
      createdAt: ctx.clock.now(),
    },
  });
  return id;
}

const approvers = new WeakMap<Db, Promise<string>>();

/** Who approved all of them, in a test's database. */
function approverOf(ctx: Ctx): Promise<string> {
  let approver = approvers.get(ctx.db);
  if (!approver) {
    approver = createOwner(ctx);
    approvers.set(ctx.db, approver);
  }
  return approver;
}

const portsOfWorker = 20;
/** Test files that run beside each other, each in a worker of its own, let their guards listen on different ports. */
const firstPort = 4710 + (Number(process.env.VITEST_POOL_ID ?? 0) % 4) * portsOfWorker;

export async function createServer(
  ctx: Ctx,
  tools: readonly { name: string; class?: string; risk?: string }[],
): Promise<{ serverId: string; resource: string; tools: string[] }> {
  const serverId = newId('server');
  const resource = `http://127.0.0.1:${firstPort + (counter++ % portsOfWorker)}/${serverId}/mcp`;
  const { prisma } = ctx.db;
  const now = ctx.clock.now();
  await prisma.mcpServer.create({
    data: { id: serverId, resource, name: `Server ${serverId.slice(-4)}`, createdAt: now },
  });
  for (const tool of tools) await addTool(ctx, serverId, tool);
  return { serverId, resource, tools: tools.map((tool) => tool.name) };
}

/** A tool, or its next version when it exists: a changed definition. */
export async function addTool(
  ctx: Ctx,
  serverId: string,
  tool: { name: string; class?: string; risk?: string },
): Promise<void> {
  const { prisma } = ctx.db;
  const now = ctx.clock.now();
  const known = await prisma.tool.findUnique({ where: { serverId_name: { serverId, name: tool.name } } });
  const version = (known?.currentVersion ?? 0) + 1;
  const toolId = known?.id ?? newId('tool');
  if (known) await prisma.tool.update({ where: { id: toolId }, data: { currentVersion: version } });
  else
    await prisma.tool.create({
      data: { id: toolId, serverId, name: tool.name, currentVersion: version, firstSeenAt: now },
    });
  await prisma.toolVersion.create({
    data: {
      id: newId('toolVersion'),
      toolId,
      version,
      inputSchema: {},
      definitionDigest: `sha256:${tool.name}-${version}`,
      proposedClass: tool.class ?? 'read',
      proposedRisk: tool.risk ?? 'low',
      proposedReason: 'test',
      class: tool.class ?? 'read',
      risk: tool.risk ?? 'low',
      seenAt: now,
    },
  });
}

export async function createApprovedAgent(ctx: Ctx, options: AgentOptions = {}): Promise<ApprovedAgent> {
  const { prisma } = ctx.db;
  const now = ctx.clock.now();
  const authMethod = options.authMethod ?? 'none';
  const clientClass = options.clientClass ?? (authMethod === 'none' ? 'interactive' : 'headless service');
  const server =
    options.server ??
    (await createServer(ctx, options.tools ?? [{ name: 'read_note' }, { name: 'list_notes' }]));
  const ownerId = await createOwner(ctx);
  const [agentId, instanceId, clientId] = [newId('agent'), newId('instance'), newId('client')];
  const [requestId, revisionId, bindingId] = [newId('request'), newId('revision'), newId('binding')];
  const redirectUri = options.redirectUri ?? 'http://127.0.0.1:4799/callback';
  const pair =
    authMethod === 'private_key_jwt' ? await generateKeyPair('ES256', { extractable: true }) : null;
  const jwks = pair
    ? { keys: [{ ...(await exportJWK(pair.publicKey)), alg: 'ES256', use: 'sig' }] }
    : undefined;
  const secret = authMethod.startsWith('client_secret_') ? `css_${randomToken()}` : null;
  await prisma.client.create({
    data: {
      id: clientId,
      kind: authMethod === 'none' ? 'dynamic' : 'manual',
      name: 'Test client',
      metadata: {},
      metadataDigest,
      fingerprint: 'test',
      redirectUris: [redirectUri],
      tokenEndpointAuthMethod: authMethod,
      grantTypes:
        options.grantTypes ??
        (authMethod === 'none' ? ['authorization_code', 'refresh_token'] : ['client_credentials']),
      ...(jwks ? { jwks } : {}),
      secretDigest: secret ? sha256(secret) : null,
      secretExpiresAt: secret ? addSeconds(now, 30 * 24 * 3600) : null,
      sourceId: 'src_intake',
      custodian: 'intake',
      quarantineEndsAt: addSeconds(now, 24 * 3600),
      revocationHandle: randomToken(),
      registeredAt: now,
      claimedAt: now,
    },
  });
  await prisma.agent.create({
    data: {
      id: agentId,
      name: 'Notes agent',
      ownerId,
      softwareIdentity: 'test',
      softwareIdentityKind: 'self-asserted',
      clientClass,
      state: 'active',
      stateSince: now,
      lastBindingVersion: 1,
      createdAt: now,
    },
  });
  await prisma.instance.create({
    data: { id: instanceId, clientId, ownerId, agentId, state: 'active', createdAt: now, stateSince: now },
  });
  const lifetimeSeconds = options.lifetimeSeconds ?? 7 * 24 * 3600;
  const toolRows = await prisma.tool.findMany({
    where: { serverId: server.serverId },
    include: { versions: true },
  });
  const purpose = {
    task: 'test',
    systems: [],
    dataClass: 'internal' as const,
    attended: options.attended ?? true,
    endCondition: 'The test ends',
    ticket: null,
  };
  const granted: Snapshot = {
    v: 1,
    kind: 'new',
    agent: {
      id: agentId,
      name: 'Notes agent',
      softwareIdentity: 'test',
      softwareIdentityKind: 'self-asserted',
      clientClass,
      environment: 'production',
    },
    owner: { personId: ownerId, subject: `local:${ownerId}`, displayName: 'Owner' },
    deputy: null,
    purpose,
    lifetimeSeconds,
    tools: sortTools(
      toolRows
        .filter((tool) => server.tools.includes(tool.name))
        .map((tool) => {
          const current = tool.versions.find((version) => version.version === tool.currentVersion);
          if (!current) throw new Error(`${tool.name} has no current version`);
          return {
            serverId: server.serverId,
            server: 'Server',
            resource: server.resource,
            toolId: tool.id,
            name: tool.name,
            toolVersionId: current.id,
            version: current.version,
            definitionDigest: current.definitionDigest,
            class: current.class as SnapshotTool['class'],
            risk: current.risk as SnapshotTool['risk'],
            constraints: [],
            justification: '',
            toolSetVersionId: null,
          };
        }),
    ),
    instances: [
      {
        instanceId,
        clientId,
        kind: 'dynamic',
        metadataDigest,
        redirectUris: [redirectUri],
        tokenEndpointAuthMethod: authMethod,
        jwksThumbprints: [],
      },
    ],
    evidence: [],
  };
  const grantedDigest = snapshotDigestOf(granted);
  await prisma.registrationRequest.create({
    data: {
      id: requestId,
      kind: 'new',
      state: 'approved',
      agentId,
      ownerId,
      createdById: ownerId,
      currentRevision: 1,
      createdAt: now,
      submittedAt: now,
      decidedAt: now,
      revisions: {
        create: {
          id: revisionId,
          number: 1,
          authorId: ownerId,
          purpose,
          lifetimeSeconds,
          instanceIds: [instanceId],
          snapshot: granted,
          snapshotDigest: grantedDigest,
          ambient: {},
          createdAt: now,
        },
      },
    },
  });
  const personId = await approverOf(ctx);
  await writeVote(ctx, { requestId, revisionId, revision: 1, granted, personId });
  await prisma.toolBinding.create({
    data: {
      id: bindingId,
      agentId,
      serverId: server.serverId,
      version: 1,
      requestId,
      revisionId,
      grantedDigest,
      toolNames: server.tools,
      toolVersionIds: granted.tools.map((tool) => tool.toolVersionId),
      lifetimeSeconds,
      validFrom: now,
      unusedEndsAt: addSeconds(now, 7 * 24 * 3600),
    },
  });
  return {
    ownerId,
    agentId,
    instanceId,
    clientId,
    serverId: server.serverId,
    resource: server.resource,
    bindingId,
    bindingVersion: 1,
    requestId,
    tools: server.tools,
    redirectUri,
    privateKey: pair?.privateKey ?? null,
    secret,
  };
}

/** A code the browser has just carried, with its verifier. */
export async function deliveredCode(
  ctx: Ctx,
  agent: ApprovedAgent,
  options: { epoch?: number; address?: string | null } = {},
): Promise<{ code: string; verifier: string; transactionId: string }> {
  const verifier = randomToken(48);
  const transactionId = newId('transaction');
  const now = ctx.clock.now();
  await ctx.db.prisma.authorizationTransaction.create({
    data: {
      id: transactionId,
      clientId: agent.clientId,
      instanceId: agent.instanceId,
      requestId: agent.requestId,
      personId: agent.ownerId,
      sessionId: 'ses_test',
      redirectUri: agent.redirectUri,
      codeChallenge: toCodeChallenge(verifier),
      resource: agent.resource,
      handleDigest: sha256(transactionId),
      status: 'continued',
      createdAt: now,
      deadlineAt: addSeconds(now, 285),
    },
  });
  const { code } = await withTransaction(ctx, async (tx) => {
    const transaction = await tx.authorizationTransaction.findUniqueOrThrow({ where: { id: transactionId } });
    const { epoch } = await tx.agent.findUniqueOrThrow({
      where: { id: agent.agentId },
      select: { epoch: true },
    });
    await prepareCode(
      tx,
      ctx,
      { ...transaction, address: options.address ?? null },
      { id: agent.agentId, epoch: options.epoch ?? epoch },
    );
    return deliverCode(tx, ctx, transactionId);
  });
  return { code, verifier, transactionId };
}
