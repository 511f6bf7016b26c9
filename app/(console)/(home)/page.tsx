import type { HomeFacts } from '#components/home/home-view.tsx';
import { HomeView } from '#components/home/home-view.tsx';
import { hasRole } from '#lib/access/require.ts';
import { readFirstSteps, readHome } from '#lib/agents/read-home.ts';
import { readDecisionTimes } from '#lib/approvals/read-decision-times.ts';
import { listQueue, listRequests, listRequestsQuery } from '#lib/approvals/read-requests.ts';
import { readIntegrity } from '#lib/audit/read-event.ts';
import { listRevocations } from '#lib/revocation/list-revocations.ts';
import { requirePage } from '../../page-context.ts';

export const metadata = { title: 'Home' };

const shownWaiting = 6;
const shownRevocations = 5;

/** What wants the person's attention, by their roles. Every number opens the list it counts. */
export default async function HomePage() {
  const { ctx } = await requirePage();
  const { actor } = ctx;
  const mine = (state: string) =>
    listRequests(ctx, listRequestsQuery.parse({ scope: 'mine', state, limit: 5 }));
  const seesAll = hasRole(actor, 'approver', 'auditor', 'admin');
  const [home, firstSteps, queue, returned, submitted, revocations, times, integrity] = await Promise.all([
    readHome(ctx),
    readFirstSteps(ctx),
    hasRole(actor, 'approver') ? listQueue(ctx, 'waiting') : null,
    hasRole(actor, 'owner') ? mine('changes requested') : null,
    hasRole(actor, 'owner') ? mine('submitted') : null,
    listRevocations(ctx, { limit: shownRevocations }),
    seesAll ? readDecisionTimes(ctx) : null,
    seesAll ? readIntegrity(ctx) : null,
  ]);
  const facts: HomeFacts = {
    ...home,
    roles: actor.roles,
    firstSteps,
    waiting: queue && {
      count: queue.length,
      items: queue.slice(0, shownWaiting),
      oldestAt: queue.map((row) => row.submittedAt ?? row.createdAt).sort()[0] ?? null,
    },
    times,
    integrity,
    own: returned &&
      submitted && {
        returned: returned.items,
        submitted: submitted.items,
        returnedCount: returned.counts['changes requested'] ?? 0,
        submittedCount: submitted.counts.submitted ?? 0,
        draftCount: returned.counts.draft ?? 0,
      },
    revocations: revocations.items,
  };
  return <HomeView facts={facts} name={actor.displayName} />;
}
