'use client';

import './globals.css';

/** The last resort, when even the frame failed. It stands alone and shows nothing of the error. */
export default function GlobalError({
  error,
  reset,
}: {
  error: Error & { digest?: string };
  reset: () => void;
}) {
  return (
    <html lang="en">
      <head>
        <title>Countersign</title>
      </head>
      <body>
        <main className="mx-auto grid max-w-md justify-items-start gap-3 px-4 py-24">
          <h1 className="font-semibold text-xl">Countersign could not show this page</h1>
          <p className="text-fg-2 text-sm">
            Nothing was changed. Try again; if it persists, give the operator this reference.
          </p>
          {error.digest && <code className="text-xs">{error.digest}</code>}
          <button
            type="button"
            onClick={reset}
            className="inline-flex h-8 items-center rounded-md border border-line-strong bg-surface px-3 font-medium text-sm hover:bg-hover"
          >
            Try again
          </button>
        </main>
      </body>
    </html>
  );
}
