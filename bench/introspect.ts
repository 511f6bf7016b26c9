import { createResourceToken } from '#lib/credentials/resource-tokens.ts';
import { createApprovedAgent } from '#tests/credentials-world.ts';
import type { Target } from './closed-loop.ts';
import { compare } from './load.ts';
import type { BenchRow } from './row.ts';
import { sides } from './sides.ts';
import { basic, form, makeOurTokens, makePeerTokens, peerClient } from './tokens.ts';

/**
 * Introspection (RFC 7662) of live tokens by a resource server. Ours computes liveness from agent, binding, instance,
 * owner, client and key at every question; the peer finds an opaque token's row.
 */
export async function run(): Promise<BenchRow[]> {
  const { ours, startPeer } = await sides();
  const agent = await createApprovedAgent(ours.ctx, { authMethod: 'private_key_jwt' });
  const admin = {
    ...ours.ctx,
    actor: {
      kind: 'person' as const,
      personId: 'per_bench',
      subject: 'bench',
      displayName: 'Bench',
      roles: ['admin' as const],
      via: 'session' as const,
      sessionId: 'ses_bench',
      authnAt: null,
      elevatedAt: null,
    },
  };
  const { token: resourceToken } = await createResourceToken(admin, {
    serverId: agent.serverId,
    name: 'bench',
    lifetimeDays: 1,
  });
  const peer = await startPeer({ tokenFormat: 'opaque', clients: [peerClient] });
  const target = (url: string, path: string, headers: Record<string, string>, tokens: string[]): Target => {
    let turn = 0;
    return {
      url,
      next: () => ({
        method: 'POST',
        path,
        headers: { ...form, ...headers },
        body: `token=${tokens[turn++ % tokens.length]}`,
      }),
    };
  };
  let [ourTokens, peerTokens]: [string[], string[]] = [[], []];
  const refill = async () => {
    // Tokens live five minutes; the run may take longer.
    ourTokens.splice(0, Infinity, ...(await makeOurTokens(ours.ctx, agent, 2000)));
    peerTokens.splice(0, Infinity, ...(await makePeerTokens(peer, 2000)));
  };
  try {
    await refill();
    return await compare({
      row: 'introspect',
      ours: target(
        ours.url,
        '/introspect',
        { host: ours.host, authorization: `Bearer ${resourceToken}` },
        ourTokens,
      ),
      peer: target(
        peer.url,
        '/token/introspection',
        { authorization: basic(peerClient.client_id, peerClient.client_secret) },
        peerTokens,
      ),
      goalRatio: 2,
      peerName: 'oidc-provider',
      conditions: 'live tokens, 2,000 a side in turn; the peer opaque ones by client_secret_basic',
      prepare: refill,
    });
  } finally {
    [ourTokens, peerTokens] = [[], []];
    await peer.close();
  }
}
