import { z } from 'zod';
import type { AgentPrincipal, ToolResource } from '#guard/decide/index.ts';
import { insertEvents, toEventRow } from '#lib/audit/record.ts';
import { findResource } from '#lib/oauth/resource.ts';
import { type Ctx, consoleUrl } from '#lib/platform/ctx.ts';
import { Forbidden } from '#lib/platform/errors.ts';
import { newId } from '#lib/platform/ids.ts';
import { decide } from '#lib/policy/policies.ts';
import { refusalOf } from './refusal.ts';
import { isInForce, judgeStanding, readStanding } from './standing.ts';

const properties = z.record(z.string(), z.unknown());
const entity = z.object({
  type: z.string().min(1).max(64),
  id: z.string().min(1).max(2048),
  properties: properties.optional(),
});

/** One question of the AuthZEN Authorization API 1.0 §5. Unknown members are allowed and ignored, as it says. */
export const evaluationInput = z.object({
  subject: entity,
  resource: entity,
  action: z.object({ name: z.string().min(1).max(128), properties: properties.optional() }),
  context: properties.optional(),
});
export type EvaluationInput = z.output<typeof evaluationInput>;

export type Evaluation = {
  decision: boolean;
  context?: {
    evaluation_id: string;
    reason_admin?: Record<string, string>;
    reason_user?: Record<string, string>;
    /** Where somebody can change the answer. */
    request_url?: string;
    policy_version?: string;
    policies?: string[];
  };
};

/** Methods of MCP that carry no authority of their own. */
const harmless = (method: string) => method === 'ping' || method.startsWith('notifications/');

/**
 * Answers whether an agent may call or list a tool right now (AuthZEN 1.0 §6), by the same function and the same facts
 * the guards decide by: the agent is live, its binding for that server grants the tool as it is defined now, and the
 * policies permit. The subject is the agent by its id, or the `sub` of its token with `context.agent` naming its
 * client (COAZ-MCP); the action is the MCP method; the resource is the tool, on the one server the caller speaks for.
 * Whatever is not understood is denied.
 *
 * `serverIds` are the servers the caller answers for; another one's tools are nobody's business: `Forbidden`.
 */
export async function evaluateAccess(
  ctx: Ctx,
  serverIds: readonly string[],
  input: EvaluationInput,
): Promise<Evaluation> {
  const evaluationId = newId('trace');
  if (harmless(input.action.name)) return { decision: true, context: { evaluation_id: evaluationId } };
  const server = await findServer(ctx, serverIds, input);
  const deny = (facts: Denial) => recordDenial(ctx, evaluationId, server, input, facts);
  const point =
    input.action.name === 'tools/call' ? 'invoke' : input.action.name === 'tools/list' ? 'list' : null;
  if (!point || input.resource.type !== 'tool') {
    return deny({ code: 'method_unknown', text: 'Only calling and listing tools can be approved.' });
  }
  const principal = await findPrincipal(ctx, input);
  if (!principal) return deny({ code: 'agent_unknown', text: 'No agent is known by this subject.' });
  const { standing } = principal;
  const now = ctx.clock.now();
  const verdict = judgeStanding(standing, now);
  if (verdict.kind !== 'live') {
    const refused = refusalOf(ctx.site, 'client_credentials', standing, verdict);
    return deny({
      code: refused.reason.replaceAll(' ', '_'),
      text: refused.description,
      requestUrl: refused.errorUri,
      agentId: standing.agent?.id,
    });
  }
  if (principal.tokenLive === false) {
    return deny({ code: 'token_ended', text: 'The token has ended.', agentId: verdict.agent.id });
  }
  const tool = await findTool(ctx, server.id, input.resource.id);
  const binding = standing.bindings.find((each) => each.serverId === server.id);
  const bound =
    tool !== null && binding !== undefined && isInForce(binding, now) && binding.granted.has(tool.name);
  const requestUrl = consoleUrl(ctx.site, `/agents/${verdict.agent.id}`);
  if (!tool || !bound || !binding) {
    return deny({
      code: 'not_approved',
      text: 'This tool is not approved for this agent.',
      requestUrl,
      agentId: verdict.agent.id,
    });
  }
  const agent: AgentPrincipal = binding.principal;
  const decision = decide(
    point,
    { agent, tool, bound, at: now, arguments: input.action.properties?.arguments ?? {} },
    server.id,
  );
  const policy = { policy_version: decision.policyVersion, policies: decision.policies };
  if (decision.outcome === 'permit')
    return { decision: true, context: { evaluation_id: evaluationId, ...policy } };
  const [reason] = decision.reasons;
  return deny({
    code: reason?.code ?? 'nothing_permits',
    text: [reason?.text, reason?.remedy].filter(Boolean).join(' ') || 'No policy permits this.',
    requestUrl,
    agentId: verdict.agent.id,
    policy,
  });
}

type Server = { id: string; resource: string };

async function findServer(ctx: Ctx, serverIds: readonly string[], input: EvaluationInput): Promise<Server> {
  const servers = await ctx.db.prisma.mcpServer.findMany({
    where: { id: { in: [...serverIds] }, state: 'active' },
    select: { id: true, resource: true },
  });
  const named = input.resource.properties?.server ?? input.context?.server;
  if (named === undefined) {
    const [only, another] = servers;
    if (only && !another) return only;
    throw new Forbidden('Name the server with resource.properties.server: its id or its resource URI.');
  }
  const uri =
    typeof named === 'string'
      ? findResource(
          servers.map((each) => each.resource),
          named,
        )
      : null;
  const server = servers.find((each) => each.id === named || each.resource === uri);
  if (!server) throw new Forbidden('The caller does not answer for that server.');
  return server;
}

async function findPrincipal(ctx: Ctx, input: EvaluationInput) {
  const { subject, context } = input;
  const { prisma } = ctx.db;
  const clientId = typeof context?.agent === 'string' ? context.agent : null;
  const tokenId = typeof context?.token_id === 'string' ? context.token_id : null;
  const byAgent = subject.type === 'agent';
  if (!byAgent && subject.type !== 'identity') return null;
  const instance = byAgent
    ? await prisma.instance.findFirst({
        where: { agentId: subject.id, ...(clientId ? { clientId } : {}) },
        orderBy: [{ createdAt: 'desc' }],
      })
    : clientId
      ? await prisma.instance.findFirst({
          // The subject of a token is its owner, or the client itself where no person stood behind it.
          where: { clientId, ...(subject.id === clientId ? {} : { ownerId: subject.id }) },
          orderBy: [{ createdAt: 'desc' }],
        })
      : null;
  const standing = instance ? await readStanding(ctx, instance.clientId, instance.id) : null;
  if (!standing) return null;
  if (tokenId === null) return { standing, tokenLive: null };
  const credential = await prisma.credential.findUnique({
    where: { id: tokenId },
    select: { agentId: true, epoch: true, endedAt: true, expiresAt: true },
  });
  const tokenLive =
    credential !== null &&
    credential.agentId === standing.agent?.id &&
    credential.epoch === standing.agent.epoch &&
    credential.endedAt === null &&
    credential.expiresAt > ctx.clock.now();
  return { standing, tokenLive };
}

async function findTool(ctx: Ctx, serverId: string, name: string): Promise<ToolResource | null> {
  const tool = await ctx.db.prisma.tool.findUnique({
    where: { serverId_name: { serverId, name } },
    include: { versions: { orderBy: { version: 'desc' }, take: 1 } },
  });
  const [version] = tool?.versions ?? [];
  if (!tool || tool.removedAt || !version) return null;
  return { serverId, name, class: version.class, risk: version.risk } as ToolResource;
}

type Denial = {
  code: string;
  text: string;
  requestUrl?: string;
  agentId?: string;
  policy?: { policy_version: string; policies: string[] };
};

/** A refusal of a known caller is an event of its own, before it is answered. */
async function recordDenial(
  ctx: Ctx,
  evaluationId: string,
  server: Server,
  input: EvaluationInput,
  denial: Denial,
): Promise<Evaluation> {
  const event = toEventRow(ctx, {
    kind: 'decision.deny',
    subjectId: evaluationId,
    outcome: 'refused',
    agentId: denial.agentId ?? null,
    serverId: server.id,
    tool: input.resource.type === 'tool' ? input.resource.id.slice(0, 512) : null,
    reason: denial.code,
    data: {
      action: input.action.name,
      ...(denial.policy ? { policyVersion: denial.policy.policy_version } : {}),
    },
  });
  await ctx.db.hot.query(insertEvents('$1'), [JSON.stringify([event])]);
  return {
    decision: false,
    context: {
      evaluation_id: evaluationId,
      reason_admin: { code: denial.code },
      reason_user: { en: denial.text },
      ...(denial.requestUrl ? { request_url: denial.requestUrl } : {}),
      ...denial.policy,
    },
  };
}
