import { cva, type VariantProps } from 'class-variance-authority';

export const buttonVariants = cva(
  [
    'forced-border relative inline-flex shrink-0 select-none items-center justify-center gap-1.5 rounded-md border border-transparent',
    'whitespace-nowrap font-medium text-sm transition-colors duration-100',
    'pointer-coarse:min-h-11 pointer-coarse:min-w-11',
    'aria-disabled:cursor-not-allowed aria-disabled:opacity-55 data-disabled:cursor-not-allowed data-disabled:opacity-55',
    '[&_svg]:shrink-0',
  ],
  {
    variants: {
      variant: {
        primary: 'bg-ink text-on-ink shadow-sm not-data-disabled:hover:bg-ink-hover',
        secondary:
          'border-line-strong bg-surface text-fg shadow-sm not-data-disabled:hover:bg-hover data-popup-open:bg-hover',
        ghost:
          'text-fg-2 not-data-disabled:hover:bg-hover not-data-disabled:hover:text-fg data-popup-open:bg-hover',
        danger: 'bg-danger-solid text-white shadow-sm not-data-disabled:hover:bg-danger-solid-hover',
        'danger-outline':
          'border-danger-line bg-surface text-danger shadow-sm not-data-disabled:hover:bg-danger-bg',
      },
      size: {
        sm: 'h-7 px-2 text-xs [&_svg]:size-3.5',
        md: 'h-8 px-3 [&_svg]:size-4',
        lg: 'h-9 px-4 text-base [&_svg]:size-4',
      },
      shape: { text: '', icon: 'aspect-square px-0' },
    },
    defaultVariants: { variant: 'secondary', size: 'md', shape: 'text' },
  },
);

export type ButtonVariants = VariantProps<typeof buttonVariants>;
