import { LinkTabs } from '#components/ui/tabs.tsx';

/** The two halves of the catalogue: what servers offer, and sets of it for a role. */
export function ServersTabs({ current }: { current: 'servers' | 'tool-sets' }) {
  return (
    <LinkTabs
      label="Catalogue"
      current={current}
      tabs={[
        { value: 'servers', label: 'Servers', href: '/servers' },
        { value: 'tool-sets', label: 'Tool sets', href: '/tool-sets' },
      ]}
    />
  );
}
