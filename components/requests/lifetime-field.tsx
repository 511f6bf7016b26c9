'use client';

import { useId } from 'react';
import { useNowEvery } from '#components/console/clock.ts';
import { formatUtc } from '#components/console/time.ts';
import { Input } from '#components/ui/input.tsx';
import { RadioGroup } from '#components/ui/radio-group.tsx';
import { Select } from '#components/ui/select.tsx';

/** Seconds, or nothing while a custom length is not a number. */
export type LifetimeDraft = { seconds: number | null; custom: { amount: string; unit: Unit } | null };
type Unit = 'minutes' | 'hours' | 'days';

const unitSeconds: Record<Unit, number> = { minutes: 60, hours: 3600, days: 86_400 };
const presets = [
  [3600, '1 hour'],
  [8 * 3600, '8 hours'],
  [86_400, '1 day'],
  [7 * 86_400, '7 days'],
  [30 * 86_400, '30 days'],
  [90 * 86_400, '90 days'],
] as const;

export function toLifetimeDraft(seconds: number): LifetimeDraft {
  if (presets.some(([preset]) => preset === seconds)) return { seconds, custom: null };
  const unit =
    (['days', 'hours', 'minutes'] as const).find((each) => seconds % unitSeconds[each] === 0) ?? 'minutes';
  return { seconds, custom: { amount: String(seconds / unitSeconds[unit]), unit } };
}

/** How long the approval lasts, with the exact end if the agent starts now. */
export function LifetimeField({
  value,
  onChange,
  maxSeconds,
  error,
}: {
  value: LifetimeDraft;
  onChange: (value: LifetimeDraft) => void;
  /** An approver can only shorten: longer presets are left out. */
  maxSeconds?: number;
  error?: string | null;
}) {
  const now = useNowEvery(60);
  const errorId = useId();
  const shown = presets.filter(([seconds]) => maxSeconds === undefined || seconds <= maxSeconds);
  const setCustom = (custom: { amount: string; unit: Unit }) => {
    const amount = Number(custom.amount);
    const seconds = Math.round(amount * unitSeconds[custom.unit]);
    onChange({
      custom,
      seconds: custom.amount.trim() !== '' && Number.isFinite(seconds) && seconds > 0 ? seconds : null,
    });
  };
  return (
    <div id="field-lifetimeSeconds" tabIndex={-1} className="grid gap-2.5 outline-none">
      <RadioGroup
        layout="inline"
        aria-label="Lifetime"
        options={[
          ...shown.map(([seconds, label]) => ({ value: String(seconds), label })),
          { value: 'custom', label: 'Other' },
        ]}
        value={value.custom ? 'custom' : String(value.seconds)}
        onValueChange={(choice) =>
          choice === 'custom'
            ? setCustom({ amount: '4', unit: 'hours' })
            : onChange({ seconds: Number(choice), custom: null })
        }
      />
      {value.custom && (
        <div className="flex max-w-72 gap-2">
          <Input
            aria-label="Length"
            inputMode="decimal"
            value={value.custom.amount}
            aria-invalid={error ? true : undefined}
            aria-describedby={error ? errorId : undefined}
            onChange={(event) =>
              setCustom({ amount: event.target.value, unit: value.custom?.unit ?? 'hours' })
            }
          />
          <Select<Unit>
            aria-label="Unit"
            options={[
              { value: 'minutes', label: 'minutes' },
              { value: 'hours', label: 'hours' },
              { value: 'days', label: 'days' },
            ]}
            value={value.custom.unit}
            onValueChange={(unit) => setCustom({ amount: value.custom?.amount ?? '1', unit })}
          />
        </div>
      )}
      {error && (
        <p id={errorId} role="alert" className="text-danger text-xs">
          {error}
        </p>
      )}
      <p className="text-fg-3 text-xs" suppressHydrationWarning>
        {value.seconds === null
          ? 'The clock starts with the first token, not with the decision.'
          : `The clock starts with the first token. Used first now, it would end ${formatUtc(new Date((now + value.seconds) * 1000))}.`}
      </p>
    </div>
  );
}
