import type { Metadata, Viewport } from 'next';
import { cookies, headers } from 'next/headers';
import type { ReactNode } from 'react';
import { Providers } from '#components/console/providers.tsx';
import { parseTheme, THEME_COOKIE } from '#components/console/theme.ts';
import './globals.css';

export const metadata: Metadata = {
  title: { default: 'Countersign', template: '%s · Countersign' },
  description: 'Approval console for OAuth client registration of MCP servers and AI agents.',
  robots: { index: false, follow: false },
  icons: { icon: '/icon.svg' },
};

export const viewport: Viewport = {
  width: 'device-width',
  initialScale: 1,
  themeColor: [
    { media: '(prefers-color-scheme: light)', color: '#fafafb' },
    { media: '(prefers-color-scheme: dark)', color: '#0d0e12' },
  ],
};

/** Reading the nonce and the theme makes every page dynamic, which a nonce needs anyway. */
export default async function RootLayout({ children }: { children: ReactNode }) {
  const [requestHeaders, requestCookies] = await Promise.all([headers(), cookies()]);
  const theme = parseTheme(requestCookies.get(THEME_COOKIE)?.value);
  return (
    <html lang="en" data-theme={theme === 'system' ? undefined : theme} suppressHydrationWarning>
      <body>
        <div id="root">
          <Providers nonce={requestHeaders.get('x-nonce') ?? undefined}>{children}</Providers>
        </div>
      </body>
    </html>
  );
}
