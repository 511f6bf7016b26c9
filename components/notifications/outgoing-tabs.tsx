import { LinkTabs } from '#components/ui/tabs.tsx';

/** What leaves the house: messages, and the webhooks they go to. */
export function OutgoingTabs({ current }: { current: 'messages' | 'webhooks' }) {
  return (
    <LinkTabs
      label="Outgoing"
      current={current}
      tabs={[
        { value: 'messages', label: 'Messages', href: '/notifications/messages' },
        { value: 'webhooks', label: 'Webhooks', href: '/notifications/webhooks' },
      ]}
    />
  );
}
