import { SearchX } from 'lucide-react';
import { EmptyState } from '#components/console/states.tsx';
import { LinkButton } from '#components/ui/link-button.tsx';

/** Inside the frame, so that the way on is at hand. The same answer for what is absent and what is hidden. */
export default function ConsoleNotFound() {
  return (
    <>
      <h1 className="sr-only">Not found</h1>
      <EmptyState
        icon={SearchX}
        title="There is nothing here that you can see"
        actions={<LinkButton href="/">Go to Home</LinkButton>}
      >
        The address may be wrong, or it belongs to something you have no access to.
      </EmptyState>
    </>
  );
}
