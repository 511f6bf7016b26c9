import { cn } from './cn.ts';

/** The look every floating surface shares. */
export const popupClass = cn(
  'forced-border origin-(--transform-origin) rounded-lg bg-raised text-fg shadow-lg outline-none',
  'transition-[opacity,scale] duration-100 ease-out data-ending-style:scale-98 data-ending-style:opacity-0 data-starting-style:scale-98 data-starting-style:opacity-0',
);

export const popupItemClass = cn(
  'flex min-h-8 cursor-default select-none items-center gap-2 rounded-md px-2 py-1.5 text-sm outline-none pointer-coarse:min-h-11',
  'data-highlighted:bg-hover data-disabled:cursor-not-allowed data-disabled:text-fg-3 data-disabled:opacity-70',
);
