import { z } from 'zod';
import { requireRole } from '#lib/access/require.ts';
import { requireStepUp } from '#lib/access/step-up.ts';
import { recordEvent } from '#lib/audit/record.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { notifyChange, withTransaction } from '#lib/platform/db.ts';
import { Conflict, Invalid, NotFound, Unavailable } from '#lib/platform/errors.ts';
import { newId } from '#lib/platform/ids.ts';
import { syncIntervals } from './sync-intervals.ts';
import { nextSyncAfter } from './sync-schedule.ts';

const httpUrl = z
  .string()
  .max(2048)
  .refine(
    (value) => URL.canParse(value) && /^https?:$/.test(new URL(value).protocol),
    'must be an http or https URL',
  )
  .refine(
    (value) => !URL.canParse(value) || (!new URL(value).username && !new URL(value).hash),
    'must carry no user name, password or fragment',
  );

export const addServerInput = z
  .object({
    name: z.string().trim().min(1, 'is needed').max(80),
    description: z.string().trim().max(500).default(''),
    /** What clients connect to: the public URL of its guard, the audience of every token (RFC 8707). */
    resource: httpUrl,
    /** Where the server behind the guard is; none when the guard itself hosts it over stdio. */
    upstreamUrl: httpUrl.nullish(),
    /** Sent to the upstream as a bearer token; stored sealed. */
    upstreamCredential: z.string().max(8192).nullish(),
    environment: z.enum(['production', 'staging', 'sandbox']).default('production'),
  })
  .refine((input) => input.upstreamUrl !== input.resource, {
    message: 'must differ from the public URL, or the guard would call itself',
    path: ['upstreamUrl'],
  });
export type AddServerInput = z.output<typeof addServerInput>;

/**
 * Puts an MCP server into the catalogue; its tools come with the first sync. Only an admin, or the host at first
 * start. The upstream credential is sealed under the row's id and never leaves the gate but to that server.
 * A second server with the same resource is a conflict: tokens name their audience by it.
 */
export async function addServer(ctx: Ctx, input: AddServerInput): Promise<{ id: string }> {
  if (ctx.actor.kind !== 'system') requireRole(ctx, 'admin');
  const id = newId('server');
  const vault = ctx.vault;
  if (input.upstreamCredential && !vault) throw new Unavailable('Only the gate can store a credential.');
  await withTransaction(ctx, async (tx) => {
    const taken = await tx.mcpServer.findUnique({
      where: { resource: input.resource },
      select: { state: true },
    });
    if (taken) {
      throw new Conflict(
        taken.state === 'active'
          ? 'A server with this resource is already in the catalogue.'
          : 'A retired server had this resource, and history names it by it. Give the new one another public URL.',
        { field: 'resource' },
      );
    }
    await tx.mcpServer.create({
      data: {
        id,
        resource: input.resource,
        name: input.name,
        description: input.description,
        upstreamUrl: input.upstreamUrl ?? null,
        upstreamCredential:
          input.upstreamCredential && vault ? vault.seal(input.upstreamCredential, id) : null,
        environment: input.environment,
        addedById: ctx.actor.kind === 'person' ? ctx.actor.personId : null,
        createdAt: ctx.clock.now(),
      },
    });
    await tx.feedHead.create({ data: { serverId: id } });
    await recordEvent(tx, ctx, {
      kind: 'server.add',
      subjectId: id,
      serverId: id,
      after: {
        name: input.name,
        resource: input.resource,
        upstreamUrl: input.upstreamUrl ?? null,
        environment: input.environment,
      },
      data: {
        credentialStored: Boolean(input.upstreamCredential),
      },
    });
    await notifyChange(tx, 'servers', id);
  });
  return { id };
}

export const editServerInput = z.strictObject({
  serverId: z.string(),
  name: z.string().trim().min(1).max(80).optional(),
  description: z.string().trim().max(500).optional(),
  upstreamUrl: httpUrl.optional(),
  /** An empty text removes the stored credential. */
  upstreamCredential: z.string().max(8192).optional(),
  /** Seconds between two readings of its tools; null: only when somebody asks. */
  syncEverySeconds: z
    .union(syncIntervals.map((seconds) => z.literal(seconds)))
    .nullable()
    .optional(),
});
export type EditServerInput = z.output<typeof editServerInput>;

/**
 * Changes a server's name, description, upstream, credential or schedule. Its resource never changes: tokens name it. A
 * credential stays with the address it was stored for: moved without a new one, the server has none.
 */
export async function editServer(ctx: Ctx, input: EditServerInput): Promise<void> {
  requireRole(ctx, 'admin');
  await withTransaction(ctx, async (tx) => {
    const server = await tx.mcpServer.findUnique({ where: { id: input.serverId } });
    if (!server) throw new NotFound();
    if (server.state !== 'active') throw new Conflict('This server is retired; its facts are history.');
    if (input.upstreamUrl && !server.upstreamUrl)
      throw new Invalid('This server is hosted by its guard and has no URL of its own.');
    const moved = (input.upstreamUrl ?? server.upstreamUrl) !== server.upstreamUrl;
    // Whoever moves the address has what is stored for it sent there.
    if (moved && server.upstreamCredential) requireStepUp(ctx);
    const vault = ctx.vault;
    if (input.upstreamCredential && !vault) throw new Unavailable('Only the gate can store a credential.');
    const credential =
      input.upstreamCredential === undefined
        ? moved
          ? null
          : server.upstreamCredential
        : input.upstreamCredential === '' || !vault
          ? null
          : vault.seal(input.upstreamCredential, server.id);
    const after = {
      name: input.name ?? server.name,
      description: input.description ?? server.description,
      upstreamUrl: input.upstreamUrl ?? server.upstreamUrl,
    };
    const every = input.syncEverySeconds === undefined ? server.syncEverySeconds : input.syncEverySeconds;
    const { count } = await tx.mcpServer.updateMany({
      where: { id: server.id, state: 'active', upstreamUrl: server.upstreamUrl },
      data: {
        ...after,
        upstreamCredential: credential,
        ...(every === server.syncEverySeconds
          ? {}
          : { syncEverySeconds: every, nextSyncAt: nextSyncAfter(ctx.clock.now(), every) }),
        // What was found at the former address says nothing about this one.
        ...(moved ? { probeOutcome: null, probeDetail: '', probedAt: null, probeSince: null } : {}),
      },
    });
    if (count === 0) throw new Conflict('This server was retired or moved meanwhile.');
    await recordEvent(tx, ctx, {
      kind: 'server.edit',
      subjectId: server.id,
      serverId: server.id,
      before: {
        name: server.name,
        description: server.description,
        upstreamUrl: server.upstreamUrl,
        syncEverySeconds: server.syncEverySeconds,
      },
      after: { ...after, syncEverySeconds: every },
      data: { credentialChanged: credential !== server.upstreamCredential },
    });
    await notifyChange(tx, 'servers', server.id);
  });
}
