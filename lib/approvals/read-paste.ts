import { z } from 'zod';
import { requireRole } from '#lib/access/require.ts';
import { listCatalogue } from '#lib/catalogue/read-catalogue.ts';
import { isClientIdUrl, parseClientIdUrl } from '#lib/oauth/client-id-metadata.ts';
import { findResource } from '#lib/oauth/resource.ts';
import type { PersonActor } from '#lib/platform/actor.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { NotFound } from '#lib/platform/errors.ts';
import { findClient } from '#lib/registration/known-client.ts';
import { maskSecrets } from '#lib/registration/pasted-secrets.ts';
import {
  maxPastedBytes,
  type PastedReading,
  type PasteLine,
  readPasted,
} from '#lib/registration/read-pasted.ts';
import {
  describeWay,
  findPreset,
  type RegistrationWay,
  redirectPresets,
} from '#lib/registration/redirect-presets.ts';
import { metadataPolicy } from '#lib/registration/registration-policy.ts';
import { isRequestOpen } from './states.ts';
import { loadVisible } from './store.ts';

export const readPasteInput = z.strictObject({
  /** With every secret taken out already. */
  text: z.string().max(maxPastedBytes),
});

export type PasteReport = {
  kind: PastedReading['kind'];
  lines: PasteLine[];
  /** What the form takes over; what is absent stays as it was. */
  fill: {
    agentName?: string;
    clientKind?: 'key' | 'carried' | 'metadata document';
    url?: string;
    jwks?: string;
    attended?: boolean;
    /** Servers of the catalogue it would call. */
    serverIds: string[];
  };
  /** Something that is here already, and where to go on with it. */
  open: { label: string; href: string; why: string } | null;
  /** Which way this client comes in; null when the paste does not tell. */
  way: { title: string; why: string } | null;
  product: string | null;
};

/**
 * Says what a pasted text means for a request: what the form takes over, what not and why. Looks servers up in the
 * catalogue and fetches a client metadata document through the guarded door; writes nothing, keeps nothing. What of it
 * exists is told to those who may see it; to others it is unknown.
 */
export async function readPaste(ctx: Ctx, input: z.output<typeof readPasteInput>): Promise<PasteReport> {
  const person = requireRole(ctx, 'owner');
  // The browser took them out; one that did not is no reason to read them.
  const { text } = maskSecrets(input.text, ctx.site.issuer);
  const reading = readPasted(text, {
    consoleOrigin: ctx.site.consoleOrigin,
    policy: metadataPolicy(ctx.site),
  });
  const report: PasteReport = {
    kind: reading.kind,
    lines: reading.lines,
    fill: { serverIds: [] },
    open: null,
    way: null,
    product: reading.product,
  };
  if (reading.names !== null) {
    report.open = await findNamed(ctx, reading.names);
    if (report.open === null)
      addLine(report, 'ignored', 'The name', text, 'There is nothing of yours by this name.');
    return report;
  }
  if (reading.clientId !== null && !isClientIdUrl(reading.clientId)) {
    report.open = await findOwnClient(ctx, person, reading.clientId);
    if (report.open !== null) {
      report.way = describeWay('exists');
      return report;
    }
    addLine(report, 'ignored', 'The client id', reading.clientId, 'No client of yours has this id here.');
  }
  if (reading.name !== null) report.fill.agentName = reading.name;
  await matchServers(ctx, reading, report);
  const way = await chooseWay(ctx, reading, report);
  report.way = way === null ? null : describeWay(way);
  return report;
}

function addLine(
  report: PasteReport,
  kind: PasteLine['kind'],
  what: string,
  value: string | null,
  why: string,
): void {
  report.lines.push({ kind, what, value: value?.slice(0, 160) ?? null, why });
}

async function findNamed(ctx: Ctx, names: NonNullable<PastedReading['names']>): Promise<PasteReport['open']> {
  const db = ctx.db.prisma;
  if ('agentId' in names) return findOwnAgent(ctx, requireRole(ctx, 'owner'), { id: names.agentId });
  const requestId =
    'requestId' in names
      ? names.requestId
      : (await db.registrationRequest.findUnique({ where: { number: names.number }, select: { id: true } }))
          ?.id;
  if (requestId === undefined) return null;
  try {
    const request = await loadVisible(db, ctx, requestId);
    const { personId } = requireRole(ctx, 'owner');
    const label = `${request.label}, ${request.revision.snapshot.agent.name}`;
    if (request.ownerId !== personId && request.createdById !== personId) {
      return {
        label,
        href: `/requests/${request.id}`,
        why: 'It belongs to somebody else: you can read and comment on it.',
      };
    }
    if (request.state === 'approved')
      return findOwnAgent(ctx, requireRole(ctx, 'owner'), { id: request.agentId });
    return isRequestOpen(request.state) && request.kind !== 'reinstate'
      ? {
          label,
          href: `/requests/${request.id}/edit`,
          why: `It is ${describeState(request.state)}: change its words there.`,
        }
      : { label, href: `/requests/${request.id}`, why: `It was ${request.state}: ask again from its page.` };
  } catch (error) {
    if (error instanceof NotFound) return null;
    throw error;
  }
}

function describeState(state: string): string {
  return state === 'draft' ? 'a draft' : state === 'changes requested' ? 'sent back for changes' : state;
}

function findOwnClient(ctx: Ctx, person: PersonActor, clientId: string): Promise<PasteReport['open']> {
  return findOwnAgent(ctx, person, {
    instances: { some: { clientId, state: { in: ['quarantined', 'active', 'suspended'] } } },
  });
}

async function findOwnAgent(
  ctx: Ctx,
  person: PersonActor,
  where: NonNullable<Parameters<Ctx['db']['prisma']['agent']['findFirst']>[0]>['where'] & object,
): Promise<PasteReport['open']> {
  const agent = await ctx.db.prisma.agent.findFirst({
    where: { AND: [where, { OR: [{ ownerId: person.personId }, { deputyId: person.personId }] }] },
    orderBy: { id: 'desc' },
    select: { id: true, name: true, state: true },
  });
  if (!agent) return null;
  return agent.state === 'active'
    ? {
        label: agent.name,
        href: `/requests/new?agent=${agent.id}`,
        why: 'You have it already: ask for a change of it.',
      }
    : { label: agent.name, href: `/agents/${agent.id}`, why: `You have it already: it is ${agent.state}.` };
}

async function matchServers(ctx: Ctx, reading: PastedReading, report: PasteReport): Promise<void> {
  if (reading.serverUrls.length === 0) return;
  const servers = await listCatalogue(ctx);
  const resources = servers.map((server) => server.resource);
  const unknown: string[] = [];
  for (const url of new Set(reading.serverUrls)) {
    const bare = url.replace(/[?#].*$/s, '');
    const resource = findResource(resources, url) ?? findResource(resources, bare);
    const server = servers.find((each) => each.resource === resource);
    if (!server) {
      unknown.push(url);
      continue;
    }
    report.fill.serverIds.push(server.id);
    if (resource === url || bare === url)
      addLine(report, 'taken', 'MCP server', server.name, 'Choose its tools below.');
    else addLine(report, 'corrected', 'MCP server', server.name, 'The query of the URL was left out.');
  }
  if (reading.kind === 'URL' && unknown.length > 0 && !looksLikeServer(unknown[0] ?? '')) return;
  if (unknown.length === 0) return;
  const grants = await ctx.db.prisma.roleGrant.findMany({
    where: {
      role: 'admin',
      endedAt: null,
      effectiveAt: { lte: ctx.clock.now() },
      person: { state: 'active' },
    },
    select: { person: { select: { displayName: true } } },
    orderBy: { person: { displayName: 'asc' } },
    take: 3,
  });
  const admins = [...new Set(grants.map((grant) => grant.person.displayName))];
  const who =
    admins.length > 0 ? new Intl.ListFormat('en', { type: 'disjunction' }).format(admins) : 'An admin';
  for (const url of unknown) {
    addLine(
      report,
      'ignored',
      'MCP server',
      url,
      `It is not in the catalogue. ${who} can add it under Servers.`,
    );
  }
}

/** A URL alone is a document or a server; the usual ends of servers' URLs spare their hosts a fetch. */
function looksLikeServer(url: string): boolean {
  return /\/(?:mcp|sse)\/?(?:[?#].*)?$/.test(url);
}

async function chooseWay(
  ctx: Ctx,
  reading: PastedReading,
  report: PasteReport,
): Promise<RegistrationWay | null> {
  const { clientId } = reading;
  const isServer = report.fill.serverIds.length > 0 && reading.kind === 'URL';
  if (clientId !== null && isClientIdUrl(clientId) && !isServer && !looksLikeServer(clientId)) {
    const url = parseClientIdUrl(clientId, { allowLoopback: ctx.site.loopbackDocuments === true });
    const found = url.ok ? await findClient(ctx, clientId, { refresh: true }) : null;
    if (found?.found) {
      report.fill.clientKind = 'metadata document';
      report.fill.url = clientId;
      report.fill.attended = true;
      report.kind = reading.kind === 'URL' ? 'client metadata' : reading.kind;
      addLine(
        report,
        'taken',
        'Host',
        new URL(clientId).host,
        'Proved: the document was read from there just now.',
      );
      if (found.client.name) {
        report.fill.agentName ??= found.client.name.slice(0, 100);
        addLine(report, 'taken', 'Name', found.client.name, 'Self-chosen, not verified.');
      }
      for (const uri of found.client.redirectUris.slice(0, 8)) {
        const host = URL.parse(uri)?.hostname ?? '';
        const foreign = uri.startsWith('https:') && host !== new URL(clientId).hostname;
        addLine(
          report,
          foreign ? 'dangerous' : 'taken',
          'Redirect URI',
          uri,
          foreign ? 'It leads to another host than the document’s.' : '',
        );
      }
      report.product ??= findPreset(found.client.redirectUris)?.client ?? null;
      return 'metadata document';
    }
    const because =
      found?.found === false && found.because === 'document'
        ? found.description
        : 'It is not a URL a metadata document may have: https, a path, in normal form.';
    addLine(report, 'ignored', reading.kind === 'URL' ? 'The URL' : 'client_id', clientId, because);
    return null;
  }
  if (reading.jwks !== null) {
    report.fill.clientKind = 'key';
    report.fill.jwks = reading.jwks;
    report.fill.attended = false;
    return 'key';
  }
  if (reading.presentsCredential) {
    report.fill.clientKind = 'carried';
    return 'carried';
  }
  const preset = redirectPresets.find((each) => each.client === reading.product);
  if (reading.redirectUris.length > 0 || preset) {
    if (preset?.metadataUrl) {
      addLine(
        report,
        'taken',
        'Client',
        preset.client,
        `It publishes ${preset.metadataUrl} and uses it where it can. Connect it, and the form opens with its client.`,
      );
    }
    return 'registers itself';
  }
  return reading.kind === 'MCP configuration' ? 'registers itself' : null;
}
