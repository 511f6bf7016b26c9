import { approveAsAsked, fileKeyedRequest, openReview, readClientId } from './acts.ts';
import { startHeadlessAgent } from './headless-agent.ts';
import { uniqueName, type Visit } from './journey.ts';

/** An agent of Olive's with a key of its own, approved by Ava for reading the list of notes, and Olive's page. */
export async function startKeyedAgent(visit: Visit, issuer: string) {
  const agentName = uniqueName('Keyed agent');
  const olive = await visit('Olive');
  const privateJwk = await fileKeyedRequest(olive, { agentName, tools: { list_notes: null } });
  const ava = await visit('Ava');
  await openReview(ava, agentName);
  await approveAsAsked(ava);
  const clientId = await readClientId(olive, agentName);
  return { olive, agent: await startHeadlessAgent({ issuer, clientId, privateJwk }) };
}
