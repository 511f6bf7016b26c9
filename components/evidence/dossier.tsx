import { TriangleAlert } from 'lucide-react';
import { EvidenceMark } from '#components/console/marks.tsx';
import { UntrustedText } from '#components/console/untrusted-text.tsx';
import { describeFact } from '#lib/evidence/describe.ts';
import { sortFacts } from '#lib/evidence/fact.ts';

export type DossierFact = { kind: string; status: string; value: unknown; method: string };

/** Facts that matter only when they contradict something; then they are shown with the rest. */
const minor: ReadonlySet<string> = new Set([
  'source',
  'registered from',
  'opened from',
  'claimed from',
  'user agent',
  'software',
  'client page',
]);

/**
 * The origin dossier: every fact with how it is known, contradictions first, what rarely decides anything folded away.
 * What a client says of itself stays inert text.
 */
export function Dossier({ facts, label = 'Origin' }: { facts: readonly DossierFact[]; label?: string }) {
  if (facts.length === 0)
    return <p className="text-fg-3 text-sm">Nothing is known about where it comes from.</p>;
  const sorted = sortFacts(facts);
  const isMinor = (fact: DossierFact) => minor.has(fact.kind) && fact.status !== 'contradicted';
  const folded = sorted.filter(isMinor);
  return (
    <div className="grid gap-2">
      <Facts facts={sorted.filter((fact) => !isMinor(fact))} label={label} />
      {folded.length > 0 && (
        <details className="border-line border-t pt-2">
          <summary className="min-h-6 cursor-pointer rounded-xs text-fg-2 text-xs">
            {folded.length} more: addresses, program, pages
          </summary>
          <div className="pt-2">
            <Facts facts={folded} label={`${label}, further facts`} />
          </div>
        </details>
      )}
    </div>
  );
}

function Facts({ facts, label }: { facts: readonly DossierFact[]; label: string }) {
  return (
    <ul aria-label={label} className="grid divide-y divide-line">
      {facts.map((fact, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: facts keep their order and several may be alike
        <Fact key={index} fact={fact} />
      ))}
    </ul>
  );
}

function Fact({ fact }: { fact: DossierFact }) {
  const { label, text, untrusted, warning } = describeFact(fact);
  return (
    <li className="grid gap-x-3 gap-y-0.5 py-2 first:pt-0 last:pb-0">
      <div className="flex flex-wrap items-center justify-between gap-x-3 gap-y-1">
        <span className="text-fg-3 text-xs">{label}</span>
        <EvidenceMark status={fact.status} />
      </div>
      <div className="min-w-0 break-words font-medium text-sm">
        {untrusted ? <UntrustedText text={text} /> : text}
      </div>
      <p className="text-fg-3 text-xs">{fact.method}</p>
      {warning && (
        <p className="flex items-start gap-1.5 text-warning text-xs">
          <TriangleAlert aria-hidden className="mt-0.5 size-3.5 shrink-0" />
          <span>{warning}</span>
        </p>
      )}
    </li>
  );
}
