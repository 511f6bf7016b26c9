'use client';

import { usePathname } from 'next/navigation';
import type { ReactNode } from 'react';
import { PageHeader } from '#components/console/page-header.tsx';
import { LinkTabs } from '#components/ui/tabs.tsx';

/** The head of one's own settings; which tab is open is the address's to say. */
export function SettingsFrame({
  seesInstallation,
  children,
}: {
  seesInstallation: boolean;
  children: ReactNode;
}) {
  const current = usePathname().split('/')[2] ?? 'profile';
  return (
    <div className="grid max-w-240 gap-4">
      <PageHeader
        title="Settings"
        description={
          current === 'configuration'
            ? 'What this installation was started with. It is changed on its host, and read at its next start.'
            : "Your own account. Nobody else's is changed here."
        }
      />
      <LinkTabs
        label="Settings"
        current={current}
        tabs={[
          { value: 'profile', label: 'Profile', href: '/settings/profile' },
          { value: 'keys', label: 'Passkeys', href: '/settings/keys' },
          { value: 'sessions', label: 'Sessions', href: '/settings/sessions' },
          { value: 'tokens', label: 'API tokens', href: '/settings/tokens' },
          ...(seesInstallation
            ? [{ value: 'configuration', label: 'Configuration', href: '/settings/configuration' }]
            : []),
        ]}
      />
      {children}
    </div>
  );
}
