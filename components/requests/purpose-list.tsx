import { UntrustedText } from '#components/console/untrusted-text.tsx';
import { DescriptionList } from '#components/ui/description-list.tsx';
import { dataClassWords, type Purpose } from '#lib/agents/purpose.ts';

/** A purpose as facts. Its words are the owner's. */
export function PurposeList({ purpose }: { purpose: Purpose }) {
  return (
    <DescriptionList
      items={[
        { term: 'Task', value: <UntrustedText text={purpose.task} multiline /> },
        { term: 'Data', value: dataClassWords[purpose.dataClass] },
        {
          term: 'Attendance',
          value: purpose.attended ? 'A person watches while it works' : 'Runs unattended',
        },
        {
          term: 'Systems',
          value: purpose.systems.length > 0 ? <UntrustedText text={purpose.systems.join(', ')} /> : null,
        },
        { term: 'Done when', value: <UntrustedText text={purpose.endCondition} /> },
        { term: 'Ticket', value: purpose.ticket ? <UntrustedText text={purpose.ticket} /> : null },
      ]}
    />
  );
}
