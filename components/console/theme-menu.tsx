'use client';

import { Monitor, Moon, Sun } from 'lucide-react';
import { useState } from 'react';
import { MenuRadioGroup } from '#components/ui/menu.tsx';
import { applyTheme, type Theme } from './theme.ts';

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
