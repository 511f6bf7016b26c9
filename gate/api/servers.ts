import { z } from 'zod';
import { type CatalogueServer, getServer, listCatalogue } from '#lib/catalogue/read-catalogue.ts';
import { renameToolInput } from '#lib/catalogue/rename-tool.ts';
import { addServerInput, editServerInput } from '#lib/catalogue/servers.ts';
import { readServerReach, retireServerInput } from '#lib/revocation/retire-server.ts';
import { verbs } from '../verbs.ts';
import { defineRoute } from './route.ts';

const tool = z
  .object({
    toolId: z.string(),
    toolVersionId: z.string(),
    version: z.int(),
    name: z.string(),
    title: z.string().nullable(),
    description: z.string(),
    definitionDigest: z.string(),
    class: z.string(),
    risk: z.string(),
    proposedClass: z.string(),
    proposedRisk: z.string(),
    confirmedAt: z.string().nullable(),
    removedAt: z.string().nullable(),
  })
  .meta({ id: 'Tool' });

const server = z
  .object({
    id: z.string(),
    name: z.string(),
    description: z.string(),
    resource: z.string(),
    environment: z.string(),
    state: z.string(),
    protocolRevision: z.string().nullable(),
    lastSyncedAt: z.string().nullable(),
    lastSyncError: z.string().nullable(),
    tools: z.array(tool),
  })
  .meta({ id: 'Server' });

const byId = z.strictObject({ id: z.string() });

export const serverRoutes = [
  defineRoute({
    method: 'get',
    path: '/servers',
    operationId: 'listServers',
    summary: 'List MCP servers with their tools',
    tag: 'Servers',
    response: z.object({ items: z.array(server) }),
    handle: async (ctx) => ({ items: (await listCatalogue(ctx)).map(toWire) }),
  }),
  defineRoute({
    method: 'post',
    path: '/servers',
    operationId: 'addServer',
    summary: 'Add an MCP server to the catalogue',
    tag: 'Servers',
    body: addServerInput,
    response: server,
    status: 201,
    handle: async (ctx, { body }) => {
      const { id } = await verbs['catalogue.addServer'].run(ctx, body);
      return toWire(await getServer(ctx, id));
    },
  }),
  defineRoute({
    method: 'get',
    path: '/servers/{id}',
    operationId: 'getServer',
    summary: 'Read one MCP server',
    tag: 'Servers',
    params: byId,
    response: server,
    handle: async (ctx, { params }) => toWire(await getServer(ctx, params.id)),
  }),
  defineRoute({
    method: 'post',
    path: '/servers/{id}/sync',
    operationId: 'syncServer',
    summary: "Read the server's tools now",
    tag: 'Servers',
    params: byId,
    response: z
      .object({
        serverId: z.string(),
        total: z.int(),
        protocolRevision: z.string(),
        added: z.array(z.string()),
        changed: z.array(z.string()),
        removed: z.array(z.string()),
        returned: z.array(z.string()),
      })
      .meta({ id: 'SyncResult' }),
    handle: (ctx, { params }) => verbs['catalogue.syncServer'].run(ctx, { serverId: params.id }),
  }),
  defineRoute({
    method: 'patch',
    path: '/servers/{id}',
    operationId: 'editServer',
    summary:
      'Change a server: name, description, own address, credential, schedule; 403 for moving one with a stored credential',
    tag: 'Servers',
    params: byId,
    body: editServerInput.omit({ serverId: true }),
    response: server,
    handle: async (ctx, { params, body }) => {
      await verbs['catalogue.editServer'].run(ctx, { ...body, serverId: params.id });
      return toWire(await getServer(ctx, params.id));
    },
  }),
  defineRoute({
    method: 'get',
    path: '/servers/{id}/reach',
    operationId: 'getServerReach',
    summary: 'Count what retiring a server would reach',
    tag: 'Servers',
    params: byId,
    response: z
      .object({
        agents: z.array(
          z.object({ id: z.string(), name: z.string(), tools: z.int(), losesEverything: z.boolean() }),
        ),
        liveTokens: z.int(),
        refreshFamilies: z.int(),
        resourceTokens: z.int(),
        waitingBrowsers: z.int(),
        openRequests: z.int(),
        guards: z.array(z.object({ id: z.string(), name: z.string(), reachable: z.boolean() })),
      })
      .meta({ id: 'ServerReach' }),
    handle: async (ctx, { params }) => {
      const reach = await readServerReach(ctx, params.id);
      return { ...reach, agents: reach.agents.map(({ ownerId: _, ...agent }) => agent) };
    },
  }),
  defineRoute({
    method: 'post',
    path: '/servers/{id}/retire',
    operationId: 'retireServer',
    summary: 'Retire a server for good; everything issued for it is dead when this answers',
    tag: 'Servers',
    params: byId,
    body: retireServerInput.omit({ serverId: true }),
    response: z.object({ revocationId: z.string(), committedAt: z.string() }).meta({ id: 'Retirement' }),
    handle: (ctx, { params, body }) =>
      verbs['revocation.retireServer'].run(ctx, { ...body, serverId: params.id }),
  }),
  defineRoute({
    method: 'post',
    path: '/tools/{id}/rename',
    operationId: 'renameTool',
    summary: 'Say that a tool goes on under another name; grants nothing',
    tag: 'Servers',
    params: byId,
    body: renameToolInput.omit({ fromToolId: true }),
    response: z.object({ id: z.string() }).meta({ id: 'ToolSuccession' }),
    status: 201,
    handle: (ctx, { params, body }) =>
      verbs['catalogue.renameTool'].run(ctx, { ...body, fromToolId: params.id }),
  }),
  defineRoute({
    method: 'post',
    path: '/servers/{id}/probe',
    operationId: 'probeServer',
    summary: 'Ask the server past its guard, as an anonymous caller',
    tag: 'Servers',
    params: byId,
    response: z
      .object({ outcome: z.string(), detail: z.string(), probedAt: z.string() })
      .meta({ id: 'ProbeResult' }),
    handle: async (ctx, { params }) => {
      const { probedAt, ...found } = await verbs['catalogue.probeServer'].run(ctx, { serverId: params.id });
      return { ...found, probedAt: probedAt.toISOString() };
    },
  }),
];

function toWire(row: CatalogueServer): z.input<typeof server> {
  return {
    id: row.id,
    name: row.name,
    description: row.description,
    resource: row.resource,
    environment: row.environment,
    state: row.state,
    protocolRevision: row.protocolRevision,
    lastSyncedAt: row.lastSyncedAt?.toISOString() ?? null,
    lastSyncError: row.lastSyncError,
    tools: row.tools.map((each) => ({
      toolId: each.toolId,
      toolVersionId: each.toolVersionId,
      version: each.version,
      name: each.name,
      title: each.title,
      description: each.description,
      definitionDigest: each.definitionDigest,
      class: each.class,
      risk: each.risk,
      proposedClass: each.proposedClass,
      proposedRisk: each.proposedRisk,
      confirmedAt: each.confirmedAt?.toISOString() ?? null,
      removedAt: each.removedAt?.toISOString() ?? null,
    })),
  };
}
