'use client';

import { CircleAlert } from 'lucide-react';
import { useEffect, useRef } from 'react';
import { fieldId } from './field.tsx';

export type FormError = { message: string; name?: string };

/**
 * What keeps a form from being accepted. It takes the focus when errors arrive, and each error that belongs to a
 * Field links to its control.
 */
export function FormErrorSummary({
  errors,
  requestId,
  title,
}: {
  errors: ReadonlyArray<FormError>;
  requestId?: string | null;
  title?: string;
}) {
  const ref = useRef<HTMLDivElement>(null);
  const signature = errors.map((error) => `${error.name ?? ''}:${error.message}`).join('\n');
  useEffect(() => {
    if (signature) ref.current?.focus();
  }, [signature]);
  if (errors.length === 0) return null;
  const heading =
    title ??
    (errors.length === 1 ? 'This was not saved' : `${errors.length} things keep this from being saved`);
  return (
    <div
      ref={ref}
      role="alert"
      tabIndex={-1}
      className="rounded-md border border-danger-line bg-danger-bg px-3 py-2.5 text-sm"
    >
      <div className="flex items-center gap-2 font-medium text-danger">
        <CircleAlert aria-hidden className="size-4 shrink-0" />
        {heading}
      </div>
      <ul className="mt-1 grid gap-0.5 pl-6">
        {errors.map((error) => (
          <li key={`${error.name ?? ''}:${error.message}`}>
            {error.name ? (
              <a
                href={`#${fieldId(error.name)}`}
                className="inline-block min-h-6 underline underline-offset-2"
                onClick={(event) => {
                  const control = document.getElementById(fieldId(error.name ?? ''));
                  if (!control) return;
                  event.preventDefault();
                  control.scrollIntoView({ block: 'center' });
                  control.focus();
                }}
              >
                {error.message}
              </a>
            ) : (
              error.message
            )}
          </li>
        ))}
      </ul>
      {requestId && <div className="mt-1 pl-6 text-fg-2 text-xs">Reference {requestId}</div>}
    </div>
  );
}
