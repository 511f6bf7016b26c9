'use client';

import { Monitor, Moon, Sun } from 'lucide-react';
import { useState } from 'react';
import { MenuRadioGroup } from '#components/ui/menu.tsx';
import { THEME_COOKIE, type Theme } from './theme.ts';

const YEAR_SECONDS = 31_536_000;

/** Chooses the theme, inside a Menu. It changes at once and is remembered by a cookie the server reads. */
export function ThemeMenuGroup({ initial }: { initial: Theme }) {
  const [theme, setTheme] = useState<Theme>(initial);
  return (
    <MenuRadioGroup<Theme>
      label="Theme"
      value={theme}
      onValueChange={(next) => {
        setTheme(next);
        applyTheme(next);
      }}
      options={[
        { value: 'system', label: 'System', icon: <Monitor aria-hidden /> },
        { value: 'light', label: 'Light', icon: <Sun aria-hidden /> },
        { value: 'dark', label: 'Dark', icon: <Moon aria-hidden /> },
      ]}
    />
  );
}

function applyTheme(theme: Theme): void {
  const secure = location.protocol === 'https:' ? '; Secure' : '';
  // biome-ignore lint/suspicious/noDocumentCookie: the Cookie Store API is absent in Safari and on plain http
  document.cookie = `${THEME_COOKIE}=${theme}; Path=/; Max-Age=${YEAR_SECONDS}; SameSite=Lax${secure}`;
  if (theme === 'system') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
}
