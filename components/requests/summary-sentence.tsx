import { UntrustedText } from '#components/console/untrusted-text.tsx';
import type { RequestDetail } from '#lib/approvals/views.ts';

/** The request in one sentence; names others chose stay inert. */
export function SummarySentence({ parts }: { parts: RequestDetail['summaryParts'] }) {
  return (
    <>
      {parts.map((part, index) =>
        part.tone === 'untrusted' ? (
          // biome-ignore lint/suspicious/noArrayIndexKey: a sentence keeps its order
          <UntrustedText key={index} text={part.text} className="font-semibold" />
        ) : part.tone === 'strong' ? (
          // biome-ignore lint/suspicious/noArrayIndexKey: a sentence keeps its order
          <strong key={index} className="font-semibold">
            {part.text}
          </strong>
        ) : (
          part.text
        ),
      )}
    </>
  );
}
