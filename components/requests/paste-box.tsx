'use client';

import { CircleCheck, CircleMinus, PencilLine, TriangleAlert } from 'lucide-react';
import { useState } from 'react';
import type { z } from 'zod';
import type { Action } from '#components/console/action.ts';
import { UntrustedText } from '#components/console/untrusted-text.tsx';
import { Button } from '#components/ui/button.tsx';
import { Callout } from '#components/ui/callout.tsx';
import { Card } from '#components/ui/card.tsx';
import { Field } from '#components/ui/field.tsx';
import { LinkButton } from '#components/ui/link-button.tsx';
import { Textarea } from '#components/ui/textarea.tsx';
import type { PasteReport, readPasteInput } from '#lib/approvals/read-paste.ts';
import { maskSecrets, type PastedSecret } from '#lib/registration/pasted-secrets.ts';
import type { EndedSecret, endLeakedSecretInput } from '#lib/revocation/end-leaked-secret.ts';

export type PasteActions = {
  read: Action<z.input<typeof readPasteInput>, PasteReport>;
  endLeaked: Action<z.input<typeof endLeakedSecretInput>, EndedSecret>;
};

type Told = { name: string; tone: 'warning' | 'danger' | 'success'; title: string; text: string };

const longest = 65_536;
/** A paste with more secrets of ours than this is a dump: the rest is told of, not ended one by one. */
const mostEnded = 20;

/**
 * Whatever somebody has at hand about a client. Secrets are taken out in this browser before anything is sent: ours go to
 * the gate to be ended, those of other services go nowhere. Nothing is submitted by pasting.
 */
export function PasteBox({
  issuer,
  actions,
  onFill,
}: {
  issuer: string;
  actions: PasteActions;
  onFill: (fill: PasteReport['fill']) => void;
}) {
  const [text, setText] = useState('');
  const [report, setReport] = useState<PasteReport | null>(null);
  const [told, setTold] = useState<readonly Told[]>([]);
  const [problem, setProblem] = useState<string | null>(null);
  const [pending, setPending] = useState(false);

  async function read(given: string) {
    if (given.length > 4 * longest) {
      setReport(null);
      setTold([]);
      setProblem('The text is far longer than 64 KB and was not read. Paste only the part about the client.');
      return;
    }
    const { text: masked, secrets } = maskSecrets(given, issuer);
    setText(masked);
    setReport(null);
    setTold([]);
    setProblem(null);
    if (masked.trim() === '') return;
    setPending(true);
    try {
      const [ended, answer] = await Promise.all([
        Promise.all(
          secrets.map((secret, index) =>
            secret.ours && index < mostEnded
              ? endOurs(secret, actions.endLeaked)
              : Promise.resolve(describeForeign(secret)),
          ),
        ),
        masked.length > longest ? null : actions.read(null, { text: masked }).catch(() => undefined),
      ]);
      setTold(ended);
      if (answer === null) setProblem('The text is longer than 64 KB. Paste only the part about the client.');
      else if (!answer) setProblem('The server did not answer. Try again.');
      else if (!answer.ok) setProblem(answer.problem.detail);
      else {
        setReport(answer.output);
        onFill(answer.output.fill);
      }
    } finally {
      setPending(false);
    }
  }

  return (
    <Card title="Start from what you have" description="Nothing is submitted by pasting.">
      <div className="grid gap-3">
        <Field
          name="paste"
          label="Paste anything about the client"
          optional
          error={problem}
          hint="An mcp.json of Claude Code, Cursor or VS Code, client metadata, the URL of a server or of a metadata document, a curl command, a client id or a request number."
        >
          <Textarea
            mono
            rows={3}
            className="max-h-56"
            spellCheck={false}
            autoComplete="off"
            value={text}
            onChange={(event) => setText(event.target.value)}
            onPaste={(event) => {
              // The raw text never stands on the page: it may hold a secret.
              event.preventDefault();
              void read(event.clipboardData.getData('text/plain'));
            }}
          />
        </Field>
        <div className="flex flex-wrap gap-2">
          <Button size="sm" pending={pending} disabled={text.trim() === ''} onClick={() => read(text)}>
            Read it
          </Button>
        </div>
        {told.map((each) => (
          <Callout key={`${each.name} ${each.title}`} tone={each.tone} title={each.title} announce>
            {each.text}
          </Callout>
        ))}
        {report && <Report report={report} />}
      </div>
    </Card>
  );
}

async function endOurs(secret: PastedSecret, endLeaked: PasteActions['endLeaked']): Promise<Told> {
  const answer = await endLeaked(null, { secret: secret.value }).catch(() => null);
  const { name } = secret;
  if (!answer?.ok) {
    return {
      name,
      tone: 'danger',
      title: `You pasted ${name}, and it could not be ended`,
      text: `${answer?.problem.detail ?? 'The server did not answer.'} Paste it again, or end it where it was made.`,
    };
  }
  const { what, ended } = answer.output;
  if (ended) {
    return {
      name,
      tone: 'danger',
      title: `You pasted a live ${what}. It has been ended.`,
      text: 'Whoever copied it has nothing now. Those it belonged to were told; make another one where it is needed, and look where this one was kept.',
    };
  }
  return {
    name,
    tone: 'warning',
    title: what === null ? `You pasted what looks like ${name}` : `You pasted an old ${what}`,
    text: 'It is not alive here, so nothing had to be ended. It was taken out of the text.',
  };
}

function describeForeign({ name, ours }: PastedSecret): Told {
  return {
    name,
    tone: 'warning',
    title: `You pasted ${name}`,
    text: ours
      ? 'There were too many to end at once. Paste the rest again.'
      : 'It was taken out before anything left this browser. Treat it as leaked all the same: make a new one where it came from.',
  };
}

const kindWords: Record<PasteReport['kind'], string> = {
  'client metadata': 'Client metadata',
  'MCP configuration': 'An MCP configuration',
  'curl command': 'A curl command',
  URL: 'A URL',
  'client id': 'A client id',
  request: 'A request',
  agent: 'An agent',
  'nothing known': 'Nothing that is known here',
};

const looks = {
  dangerous: { word: 'Dangerous', icon: TriangleAlert, className: 'text-danger' },
  taken: { word: 'Taken', icon: CircleCheck, className: 'text-success' },
  corrected: { word: 'Corrected', icon: PencilLine, className: 'text-info' },
  ignored: { word: 'Ignored', icon: CircleMinus, className: 'text-fg-3' },
} as const;
const order = ['dangerous', 'taken', 'corrected', 'ignored'] as const;

function Report({ report }: { report: PasteReport }) {
  const lines = report.lines.toSorted((a, b) => order.indexOf(a.kind) - order.indexOf(b.kind));
  return (
    <section aria-label="What was read" className="grid gap-3 border-line border-t pt-3">
      <p role="status" className="text-sm">
        <span className="font-medium">{kindWords[report.kind]}</span>
        {report.product && <span className="text-fg-2"> of {report.product}</span>}
        {report.fill.serverIds.length > 0 && (
          <span className="text-fg-2">. The form is filled in as far as the text goes.</span>
        )}
      </p>
      {report.open && (
        <Callout
          tone="info"
          title={<UntrustedText text={report.open.label} />}
          actions={
            <LinkButton href={report.open.href} variant="primary" size="sm">
              Open it
            </LinkButton>
          }
        >
          {report.open.why}
        </Callout>
      )}
      {report.way && report.fill.clientKind === undefined && (
        <p className="max-w-[80ch] text-sm">
          <span className="font-medium">Its way in: {report.way.title}.</span>{' '}
          <span className="text-fg-2">{report.way.why}</span>
        </p>
      )}
      {lines.length > 0 && (
        <ul className="grid gap-1.5">
          {lines.map((line, index) => {
            const look = looks[line.kind];
            const Icon = look.icon;
            return (
              // biome-ignore lint/suspicious/noArrayIndexKey: the list of a report never changes
              <li key={index} className="grid grid-cols-[1rem_minmax(0,1fr)] gap-x-2 text-sm">
                <Icon aria-hidden className={`mt-0.5 size-4 ${look.className}`} />
                <span className="min-w-0">
                  <span className={`font-medium ${look.className}`}>{look.word}</span>{' '}
                  <UntrustedText text={line.what} />
                  {line.value !== null && (
                    <code className="ml-1 break-all text-xs">
                      <UntrustedText text={line.value} />
                    </code>
                  )}
                  {line.why && <span className="block text-fg-2 text-xs">{line.why}</span>}
                </span>
              </li>
            );
          })}
        </ul>
      )}
    </section>
  );
}
