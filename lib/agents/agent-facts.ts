import type { AgentFacts, AgentState } from '#guard/protocol.ts';
import type { Tx } from '#lib/platform/db.ts';
import { NotFound } from '#lib/platform/errors.ts';

/** An agent as guards and policies know it: state and epoch now, purpose as last approved. Throws `NotFound`. */
export async function toAgentFacts(tx: Tx, agentId: string): Promise<AgentFacts> {
  const [row] = await tx.$queryRaw<
    {
      id: string;
      name: string;
      epoch: number;
      state: AgentState;
      owner: string;
      clientClass: string;
      source: string;
      purpose: unknown;
    }[]
  >`
    SELECT a.id, a.name, a.epoch, a.state, a.owner_id AS owner, a.client_class AS "clientClass",
           COALESCE((SELECT c.source_id FROM instance i JOIN client c ON c.id = i.client_id
                      WHERE i.agent_id = a.id ORDER BY i.created_at LIMIT 1), 'src_intake') AS source,
           (SELECT v.purpose FROM request_revision v JOIN registration_request r ON r.id = v.request_id
             WHERE r.agent_id = a.id AND (r.state = 'approved' OR v.number = r.current_revision)
             ORDER BY (r.state = 'approved') DESC, r.decided_at DESC NULLS LAST, v.number DESC LIMIT 1) AS purpose
      FROM agent a WHERE a.id = ${agentId}`;
  if (!row) throw new NotFound();
  const purpose = (row.purpose ?? {}) as { attended?: boolean; dataClass?: string };
  return {
    id: row.id,
    name: row.name.slice(0, 256),
    epoch: row.epoch,
    state: row.state,
    owner: row.owner,
    clientClass: row.clientClass,
    source: row.source,
    attended: purpose.attended === true,
    // Unknown data counts as the most sensitive.
    dataClass: purpose.dataClass ?? 'restricted',
  };
}
