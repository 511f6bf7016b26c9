import { requireSystem } from '#lib/access/require.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { Conflict } from '#lib/platform/errors.ts';
import { suspendAgent } from '#lib/revocation/stop-agent.ts';
import type { Services } from './services.ts';

export type Unaccounted = { agentId: string; what: string; id: string };

/**
 * Rows of authority that history does not account for: an agent, a live binding or a live credential without the
 * event that made it, and an agent whose state is not the one its last event left it in. Each verb writes row and
 * event together, so such a row was written around the product.
 */
export async function findUnaccounted(ctx: Ctx): Promise<Unaccounted[]> {
  requireSystem(ctx);
  return ctx.db.prisma.$queryRaw<Unaccounted[]>`
    SELECT a.id AS "agentId", 'agent' AS what, a.id FROM agent a
     WHERE NOT EXISTS (SELECT 1 FROM audit_event e WHERE e.subject_id = a.id AND e.kind = 'agent.create')
    UNION ALL
    SELECT b.agent_id, 'tool binding', b.id FROM tool_binding b
     WHERE b.ended_at IS NULL
       AND NOT EXISTS (SELECT 1 FROM audit_event e WHERE e.subject_id = b.id AND e.kind = 'binding.create')
    UNION ALL
    SELECT c.agent_id, 'credential', c.id FROM credential c
     WHERE c.ended_at IS NULL AND c.expires_at > ${ctx.clock.now()}
       AND NOT EXISTS (SELECT 1 FROM audit_event e
                        WHERE e.subject_id = c.id AND e.kind IN ('credential.issue', 'credential.reveal'))
    UNION ALL
    SELECT a.id, 'state of the agent', a.id FROM agent a
      CROSS JOIN LATERAL (
        SELECT e.kind FROM audit_event e
         WHERE e.subject_id = a.id AND e.kind IN
           ('agent.activate', 'agent.reinstate', 'agent.suspend', 'agent.revoke', 'agent.expire')
         ORDER BY e.arrival DESC LIMIT 1) last
     WHERE a.state <> CASE last.kind
       WHEN 'agent.activate' THEN 'active' WHEN 'agent.reinstate' THEN 'active'
       WHEN 'agent.suspend' THEN 'suspended' WHEN 'agent.revoke' THEN 'revoked' ELSE 'expired' END
    UNION ALL
    SELECT a.id, 'state of the agent', a.id FROM agent a
     WHERE a.state = 'active' AND NOT EXISTS (
       SELECT 1 FROM audit_event e WHERE e.subject_id = a.id AND e.kind IN ('agent.activate', 'agent.reinstate'))`;
}

/**
 * Compares state with history, at start and each hour, and stops whatever history does not account for: the agent is
 * suspended as compromised, so nothing is issued for it until people have looked and reinstated it.
 */
export async function compareState(ctx: Ctx, _payload: unknown, services: Services): Promise<void> {
  const found = await findUnaccounted(ctx);
  for (const { agentId, what, id } of found) {
    services.log.error({ agentId, what, id }, 'a row without its event: issuance for its agent stops');
    try {
      await suspendAgent(ctx, {
        agentId,
        cause: 'compromise',
        reason: `The ${what} ${id} is not accounted for by history. Nothing is issued until somebody has looked.`,
      });
    } catch (error) {
      // It does not act already: suspended by an earlier run, pending, or ended.
      if (!(error instanceof Conflict)) throw error;
    }
  }
}
