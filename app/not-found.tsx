import { SearchX } from 'lucide-react';
import { EmptyState } from '#components/console/states.tsx';
import { LinkButton } from '#components/ui/link-button.tsx';

export const metadata = { title: 'Not found' };

/** One answer for what does not exist and for what this person may not see. */
export default function NotFound() {
  return (
    <main className="mx-auto w-full max-w-xl px-4 py-16">
      <h1 className="sr-only">Not found</h1>
      <EmptyState
        icon={SearchX}
        title="There is nothing here that you can see"
        actions={<LinkButton href="/">Go to Home</LinkButton>}
      >
        The address may be wrong, or it belongs to something you have no access to.
      </EmptyState>
    </main>
  );
}
