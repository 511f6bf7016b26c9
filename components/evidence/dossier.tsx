import { TriangleAlert } from 'lucide-react';
import { EvidenceMark } from '#components/console/marks.tsx';
import { UntrustedText } from '#components/console/untrusted-text.tsx';
import { describeFact } from '#lib/evidence/describe.ts';
import { sortFacts } from '#lib/evidence/fact.ts';

export type DossierFact = { kind: string; status: string; value: unknown; method: string };

/** The origin dossier: every fact with how it is known, contradictions first. What a client says stays inert text. */
export function Dossier({ facts, label = 'Origin' }: { facts: readonly DossierFact[]; label?: string }) {
  if (facts.length === 0)
    return <p className="text-fg-3 text-sm">Nothing is known about where it comes from.</p>;
  return (
    <ul aria-label={label} className="grid divide-y divide-line">
      {sortFacts(facts).map((fact, index) => (
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
