import type { Target } from './closed-loop.ts';
import { compare } from './load.ts';
import type { BenchRow } from './row.ts';
import { sides } from './sides.ts';

/**
 * Registration (RFC 7591) of a native public client, metadata distinct in every request. Ours writes the quarantined
 * client and its event durably and passes every intake check, budgets raised; the peer writes its client.
 */
export async function run(): Promise<BenchRow[]> {
  const { ours, startPeer } = await sides();
  const peer = await startPeer({ tokenFormat: 'opaque', clients: [] });
  let counter = 0;
  const target = (url: string, path: string, headers: Record<string, string>): Target => ({
    url,
    next: () => ({
      method: 'POST',
      path,
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify({
        client_name: `Bench ${++counter}`,
        redirect_uris: [`http://127.0.0.1:${20_000 + (counter % 40_000)}/callback`],
        grant_types: ['authorization_code', 'refresh_token'],
        response_types: ['code'],
        token_endpoint_auth_method: 'none',
        application_type: 'native',
      }),
    }),
  });
  try {
    return await compare({
      row: 'register',
      ours: target(ours.url, '/register', { host: ours.host }),
      peer: target(peer.url, '/reg', {}),
      goalRatio: 2,
      peerName: 'oidc-provider',
      conditions:
        'distinct metadata; ours with intake checks, quarantine and event, budgets raised for the run',
    });
  } finally {
    await peer.close();
  }
}
