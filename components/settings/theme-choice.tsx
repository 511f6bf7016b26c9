'use client';

import { useState } from 'react';
import { applyTheme, type Theme } from '#components/console/theme.ts';
import { RadioGroup } from '#components/ui/radio-group.tsx';

export function ThemeChoice({ initial }: { initial: Theme }) {
  const [theme, setTheme] = useState(initial);
  return (
    <RadioGroup<Theme>
      aria-label="Theme"
      layout="inline"
      value={theme}
      onValueChange={(next) => {
        setTheme(next);
        applyTheme(next);
      }}
      options={[
        { value: 'system', label: 'Like the system' },
        { value: 'light', label: 'Light' },
        { value: 'dark', label: 'Dark' },
      ]}
    />
  );
}
