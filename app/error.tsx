'use client';

import { RotateCw } from 'lucide-react';
import { ErrorState } from '#components/console/states.tsx';
import { Button } from '#components/ui/button.tsx';

/** A page that failed. The digest is written to the server's log beside the real error, which is never shown. */
export default function PageError({
  error,
  reset,
}: {
  error: Error & { digest?: string };
  reset: () => void;
}) {
  return (
    <main className="mx-auto w-full max-w-xl px-4 py-16">
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
    </main>
  );
}
