'use client';

import { useState } from 'react';
import { Button } from '#components/ui/button.tsx';
import { Input } from '#components/ui/input.tsx';

/** A range of days by keyboard, or by a pointer that does not drag. Days are `2026-03-02`, in UTC; empty for no bound. */
export function DayRangeForm({
  from,
  to,
  clearLabel,
  onRange,
}: {
  from: string;
  to: string;
  clearLabel: string;
  onRange: (range: { from: string; to: string }) => void;
}) {
  const [problem, setProblem] = useState(false);
  return (
    <form
      aria-label="Days"
      className="no-print flex flex-wrap items-end gap-x-3 gap-y-2"
      onSubmit={(event) => {
        event.preventDefault();
        const form = new FormData(event.currentTarget);
        const next = { from: String(form.get('from') ?? ''), to: String(form.get('to') ?? '') };
        const reversed = next.from !== '' && next.to !== '' && next.from > next.to;
        setProblem(reversed);
        if (!reversed) onRange(next);
      }}
    >
      {(['from', 'to'] as const).map((name) => (
        <label key={name} htmlFor={`day-${name}`} className="grid gap-0.5 text-fg-2 text-xs">
          {name === 'from' ? 'First day' : 'Last day'}
          <Input
            id={`day-${name}`}
            type="date"
            name={name}
            max="2099-12-31"
            defaultValue={name === 'from' ? from : to}
            aria-invalid={problem || undefined}
            aria-describedby={problem ? 'day-range-problem' : 'day-range-zone'}
            className="h-8 w-38"
          />
        </label>
      ))}
      <Button type="submit">Show days</Button>
      {(from || to) && (
        <Button type="button" variant="ghost" onClick={() => onRange({ from: '', to: '' })}>
          {clearLabel}
        </Button>
      )}
      {problem ? (
        <p id="day-range-problem" role="alert" className="pb-1.5 text-danger text-xs">
          The last day lies before the first.
        </p>
      ) : (
        <p id="day-range-zone" className="pb-1.5 text-fg-3 text-xs">
          Days in UTC
        </p>
      )}
    </form>
  );
}
