'use client';

import { useActionState, useState } from 'react';
import type { Action } from '#components/console/action.ts';
import { ActionProblemNote, issueFor } from '#components/console/action-problem.tsx';
import { SubmitButton } from '#components/ui/button.tsx';
import { Card } from '#components/ui/card.tsx';
import { Field } from '#components/ui/field.tsx';
import { Input } from '#components/ui/input.tsx';

/** The letters of a code as they are typed: eight of them, upper case, with a dash in the middle. */
export function toTypedCode(text: string): string {
  const letters = text
    .toUpperCase()
    .replace(/[^A-Z]/g, '')
    .slice(0, 8);
  return letters.length > 4 ? `${letters.slice(0, 4)}-${letters.slice(4)}` : letters;
}

/** Where the code of a device is typed. */
export function DeviceCodeView({ open }: { open: Action<{ code: string }, { deviceId: string }> }) {
  const [answer, submit] = useActionState(open, null);
  const [code, setCode] = useState('');
  const problem = answer && !answer.ok ? answer.problem : null;
  const error = issueFor(problem, 'code');
  return (
    <div className="mx-auto grid max-w-110 gap-4">
      <Card>
        <form action={submit} className="grid gap-4">
          <div className="grid gap-1">
            <h1 className="font-semibold text-lg tracking-tight">Connect a device</h1>
            <p className="text-fg-2 text-sm">
              Type the eight letters your device or terminal shows. Leave out the number at the end: you will
              be asked for it.
            </p>
          </div>
          {problem && !error && <ActionProblemNote problem={problem} />}
          <Field name="code" label="Code" required error={error}>
            <Input
              value={code}
              onChange={(event) => setCode(toTypedCode(event.target.value))}
              placeholder="BCDF-GHJK"
              autoFocus
              autoComplete="off"
              autoCapitalize="characters"
              spellCheck={false}
              className="h-11 font-mono text-lg tracking-[0.2em]"
            />
          </Field>
          <p className="text-fg-3 text-xs">
            Only type a code from a device you started yourself. Whoever gives you one by phone, mail or chat
            wants to act in your name.
          </p>
          <div>
            <SubmitButton size="lg">Go on</SubmitButton>
          </div>
        </form>
      </Card>
    </div>
  );
}
