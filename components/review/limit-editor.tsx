'use client';

import { Plus, X } from 'lucide-react';
import { useState } from 'react';
import { UntrustedText } from '#components/console/untrusted-text.tsx';
import { Button, IconButton } from '#components/ui/button.tsx';
import { Input } from '#components/ui/input.tsx';
import { Select } from '#components/ui/select.tsx';
import type { Constraint } from '#lib/agents/snapshot.ts';
import { constraintKey, describeConstraint } from '#lib/approvals/diff.ts';

type Argument = { name: string; type: 'text' | 'number' | 'boolean' };
type Operator = Constraint['operator'];

const operators: Record<Argument['type'], readonly { value: Operator; label: string }[]> = {
  text: [
    { value: 'equal_to', label: 'is' },
    { value: 'one_of', label: 'is one of' },
    { value: 'starting_with', label: 'starts with' },
    { value: 'below_path', label: 'lies below' },
  ],
  number: [
    { value: 'at_most', label: 'is at most' },
    { value: 'at_least', label: 'is at least' },
    { value: 'equal_to', label: 'is' },
  ],
  boolean: [{ value: 'equal_to', label: 'is' }],
};

/** The arguments of a tool a limit can be put on: those at the top of its schema, by their type. */
export function argumentsOf(inputSchema: unknown): Argument[] {
  const properties =
    (inputSchema as { properties?: Record<string, { type?: unknown }> } | null)?.properties ?? {};
  return Object.entries(properties).flatMap(([name, schema]): Argument[] => {
    const type = schema?.type;
    if (type === 'number' || type === 'integer') return [{ name, type: 'number' }];
    if (type === 'boolean') return [{ name, type: 'boolean' }];
    return type === 'string' || type === undefined ? [{ name, type: 'text' }] : [];
  });
}

/** Limits on the arguments of one tool: those asked for stay, an approver can add more. */
export function LimitEditor({
  toolName,
  inputSchema,
  asked,
  added,
  onChange,
  disabled,
}: {
  toolName: string;
  inputSchema: unknown;
  asked: readonly Constraint[];
  added: readonly Constraint[];
  onChange: (added: Constraint[]) => void;
  disabled: boolean;
}) {
  const options = argumentsOf(inputSchema);
  const [open, setOpen] = useState(false);
  const [name, setName] = useState(options[0]?.name ?? '');
  const argument = options.find((option) => option.name === name) ?? options[0];
  const [operator, setOperator] = useState<Operator>(
    operators[argument?.type ?? 'text'][0]?.value ?? 'equal_to',
  );
  const [text, setText] = useState('');
  const value = argument ? parseValue(argument.type, operator, text) : null;
  const choose = (next: string) => {
    const type = options.find((option) => option.name === next)?.type ?? 'text';
    setName(next);
    setOperator(operators[type][0]?.value ?? 'equal_to');
    setText('');
  };
  const add = () => {
    if (!argument || value === null) return;
    const pointer = `/${argument.name.replaceAll('~', '~0').replaceAll('/', '~1')}`;
    onChange([...added, { pointer, operator, value }]);
    setText('');
    setOpen(false);
  };
  return (
    <div className="grid gap-1.5">
      {(asked.length > 0 || added.length > 0) && (
        <ul aria-label={`Limits on ${toolName}`} className="grid gap-1 text-xs">
          {asked.map((limit) => (
            <li key={constraintKey(limit)} className="text-fg-2">
              Only where <UntrustedText text={describeConstraint(limit)} />
            </li>
          ))}
          {added.map((limit) => (
            <li key={constraintKey(limit)} className="flex items-center gap-1 font-medium text-success">
              Only where <UntrustedText text={describeConstraint(limit)} />
              {!disabled && (
                <IconButton
                  label={`Remove the limit on ${limit.pointer.slice(1)}`}
                  size="sm"
                  onClick={() => onChange(added.filter((each) => each !== limit))}
                >
                  <X aria-hidden className="size-3.5" />
                </IconButton>
              )}
            </li>
          ))}
        </ul>
      )}
      {!disabled &&
        options.length > 0 &&
        (open ? (
          <div className="flex flex-wrap items-center gap-1.5">
            <Select
              size="sm"
              aria-label="Argument"
              className="w-36"
              options={options.map((option) => ({ value: option.name, label: option.name }))}
              value={argument?.name ?? null}
              onValueChange={choose}
            />
            <Select<Operator>
              size="sm"
              aria-label="Condition"
              className="w-32"
              options={operators[argument?.type ?? 'text']}
              value={operator}
              onValueChange={setOperator}
            />
            {argument?.type === 'boolean' ? (
              <Select
                size="sm"
                aria-label="Value"
                className="w-24"
                options={[
                  { value: 'true', label: 'true' },
                  { value: 'false', label: 'false' },
                ]}
                value={text || null}
                onValueChange={setText}
              />
            ) : (
              <Input
                aria-label="Value"
                className="h-7 w-44"
                mono
                inputMode={argument?.type === 'number' ? 'numeric' : undefined}
                value={text}
                placeholder={operator === 'one_of' ? 'one, two, three' : ''}
                onChange={(event) => setText(event.target.value)}
                onKeyDown={(event) => {
                  if (event.key !== 'Enter') return;
                  event.preventDefault();
                  add();
                }}
              />
            )}
            <Button size="sm" disabled={value === null} onClick={add}>
              Add limit
            </Button>
            <Button size="sm" variant="ghost" onClick={() => setOpen(false)}>
              Cancel
            </Button>
          </div>
        ) : (
          <div>
            <Button size="sm" variant="ghost" icon={<Plus aria-hidden />} onClick={() => setOpen(true)}>
              Limit an argument
            </Button>
          </div>
        ))}
    </div>
  );
}

function parseValue(type: Argument['type'], operator: Operator, text: string): Constraint['value'] | null {
  const trimmed = text.trim();
  if (trimmed === '') return null;
  if (type === 'boolean') return trimmed === 'true';
  if (type === 'number') return /^-?\d{1,15}$/.test(trimmed) ? Number(trimmed) : null;
  if (operator !== 'one_of') return text;
  return trimmed
    .split(',')
    .map((each) => each.trim())
    .filter(Boolean);
}
