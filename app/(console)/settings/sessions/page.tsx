import { SessionsView } from '#components/settings/sessions-view.tsx';
import { getOwnAccount } from '#lib/access/read-people.ts';
import { requireSignedIn } from '../../../page-context.ts';
import { endOtherSessions, endSession } from '../actions.ts';

export const metadata = { title: 'Sessions' };

export default async function SessionsPage() {
  const { ctx } = await requireSignedIn();
  const { sessions } = await getOwnAccount(ctx);
  return <SessionsView sessions={sessions} actions={{ endOtherSessions, endSession }} />;
}
