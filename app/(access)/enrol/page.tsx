import { EnrolView } from '#components/access/enrol-view.tsx';
import { BareShell } from '#components/console/shell.tsx';
import { enrol, readInvitation } from './actions.ts';

export const metadata = { title: 'Set up your account' };

/** Where a link leads. Its token is in the fragment, which only the browser knows until it is sent by POST. */
export default function EnrolPage() {
  return (
    <BareShell>
      <EnrolView readInvitation={readInvitation} enrol={enrol} />
    </BareShell>
  );
}
