import { createApprovedAgent } from '#tests/credentials-world.ts';
import type { Target } from './closed-loop.ts';
import { compare } from './load.ts';
import type { BenchRow } from './row.ts';
import { sides } from './sides.ts';
import { basic, form, makeOurTokens, makePeerTokens, peerClient } from './tokens.ts';

/**
 * Revocation (RFC 7009), every request of a token that lives until then. Ours ends the credential, writes its event
 * and the entry that tells the guards, durably; the peer deletes its row.
 */
export async function run(): Promise<BenchRow[]> {
  const { ours, startPeer } = await sides();
  const agent = await createApprovedAgent(ours.ctx, { authMethod: 'client_secret_basic' });
  const peer = await startPeer({ tokenFormat: 'opaque', clients: [peerClient] });
  const stock: Record<'ours' | 'peer', string[]> = { ours: [], peer: [] };
  const target = (
    side: 'ours' | 'peer',
    url: string,
    path: string,
    headers: Record<string, string>,
  ): Target => ({
    url,
    next() {
      const token = stock[side].pop();
      if (!token) throw new Error(`more revocations than tokens on the side of ${side}`);
      return {
        method: 'POST',
        path,
        headers: { ...form, ...headers },
        body: `token=${token}&token_type_hint=access_token`,
      };
    },
  });
  try {
    return await compare({
      row: 'revoke',
      ours: target('ours', ours.url, '/revoke', {
        host: ours.host,
        authorization: basic(agent.clientId, agent.secret ?? ''),
      }),
      peer: target('peer', peer.url, '/token/revocation', {
        authorization: basic(peerClient.client_id, peerClient.client_secret),
      }),
      goalRatio: 2,
      peerName: 'oidc-provider',
      conditions: 'live tokens, client_secret_basic on both sides; ours with event and feed entry durable',
      async prepare(_inFlight, seconds) {
        stock.ours = await makeOurTokens(ours.ctx, agent, 12_000 * seconds);
        stock.peer = await makePeerTokens(peer, 6_000 * seconds);
      },
    });
  } finally {
    await peer.close();
  }
}
