import { ForbiddenState, GoneState } from '#components/console/states.tsx';
import { UntrustedText } from '#components/console/untrusted-text.tsx';
import { Dossier } from '#components/evidence/dossier.tsx';
import { Card } from '#components/ui/card.tsx';
import type { OpenedHandle } from '#lib/registration/open-handle.ts';

/** The sign-in link cannot be used: why, and what to do instead. */
export function LinkOver({ detail }: { detail: string }) {
  return (
    <div className="mx-auto max-w-160">
      <GoneState title="This sign-in cannot go on" successor={{ label: 'Go to the console', href: '/' }}>
        {detail}
      </GoneState>
    </div>
  );
}

/** Somebody without the role owner opened a client's sign-in. */
export function ClaimForbidden({ opened }: { opened: OpenedHandle }) {
  return (
    <div className="mx-auto grid max-w-160 gap-4">
      <ForbiddenState
        title={
          <>
            You cannot claim <UntrustedText text={opened.client.name || opened.client.id} />
          </>
        }
        needs={['owner']}
      />
      <Card title="Who is asking">
        <Dossier facts={opened.facts} />
      </Card>
    </div>
  );
}
