'use client';

import { RotateCw } from 'lucide-react';
import { ErrorState } from '#components/console/states.tsx';
import { Button } from '#components/ui/button.tsx';

/** A page that failed inside the frame; the navigation stays usable. */
export default function ConsoleError({
  error,
  reset,
}: {
  error: Error & { digest?: string };
  reset: () => void;
}) {
  return (
    <ErrorState
      level={1}
      title="This page could not be shown"
      requestId={error.digest}
      retry={
        <Button icon={<RotateCw aria-hidden />} onClick={reset}>
          Try again
        </Button>
      }
    />
  );
}
