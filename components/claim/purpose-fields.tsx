'use client';

import { Field } from '#components/ui/field.tsx';
import { Input } from '#components/ui/input.tsx';
import { RadioGroup } from '#components/ui/radio-group.tsx';
import { Select } from '#components/ui/select.tsx';
import { Textarea } from '#components/ui/textarea.tsx';
import { type DataClass, dataClasses, dataClassWords } from '#lib/agents/purpose.ts';

export type PurposeDraft = {
  task: string;
  systems: string;
  dataClass: DataClass;
  attended: boolean;
  endCondition: string;
  ticket: string;
};

/** What it is for, as fields a policy and a reviewer can read. */
export function PurposeFields({
  purpose,
  onChange,
  errors,
}: {
  purpose: PurposeDraft;
  onChange: (purpose: PurposeDraft) => void;
  errors: Readonly<Record<string, string>>;
}) {
  const set = <Name extends keyof PurposeDraft>(name: Name, value: PurposeDraft[Name]) =>
    onChange({ ...purpose, [name]: value });
  return (
    <div className="grid gap-4">
      <Field name="purpose.task" label="What will it do?" required error={errors['purpose.task']}>
        <Textarea
          value={purpose.task}
          rows={2}
          maxLength={1_000}
          placeholder="Summarise open issues of the billing team every morning"
          onChange={(event) => set('task', event.target.value)}
        />
      </Field>
      <div className="grid gap-4 sm:grid-cols-2">
        <Field
          name="purpose.dataClass"
          label="Data it will touch"
          required
          error={errors['purpose.dataClass']}
        >
          <Select
            options={dataClasses.map((value) => ({ value, label: dataClassWords[value] }))}
            value={purpose.dataClass}
            onValueChange={(value) => set('dataClass', value)}
          />
        </Field>
        <Field name="purpose.endCondition" label="Done when" required error={errors['purpose.endCondition']}>
          <Input
            value={purpose.endCondition}
            maxLength={300}
            onChange={(event) => set('endCondition', event.target.value)}
          />
        </Field>
        <Field
          name="purpose.systems"
          label="Systems involved"
          optional
          hint="Separated by commas"
          error={errors['purpose.systems']}
        >
          <Input value={purpose.systems} onChange={(event) => set('systems', event.target.value)} />
        </Field>
        <Field name="purpose.ticket" label="Ticket" optional error={errors['purpose.ticket']}>
          <Input
            value={purpose.ticket}
            maxLength={200}
            onChange={(event) => set('ticket', event.target.value)}
          />
        </Field>
      </div>
      <Field name="purpose.attended" label="Does a person watch while it works?">
        <RadioGroup
          layout="inline"
          options={[
            { value: 'yes', label: 'Yes, somebody watches' },
            { value: 'no', label: 'No, it runs alone' },
          ]}
          value={purpose.attended ? 'yes' : 'no'}
          onValueChange={(value) => set('attended', value === 'yes')}
        />
      </Field>
    </div>
  );
}
