import { cn } from './cn.ts';

/** Initials of a person; decoration beside the written name. Pictures are never fetched. */
export function Avatar({ name, size = 'md' }: { name: string; size?: 'sm' | 'md' | 'lg' }) {
  const words = name
    .trim()
    .split(/[\s@._-]+/u)
    .filter(Boolean);
  const initials = [words[0], words.length > 1 ? words.at(-1) : undefined]
    .map((word) => (word ? [...word][0] : ''))
    .join('')
    .toUpperCase();
  return (
    <span
      aria-hidden
      className={cn(
        'inline-flex shrink-0 select-none items-center justify-center rounded-full border border-violet-line bg-violet-bg font-semibold text-violet',
        size === 'sm' && 'size-5 text-[0.5625rem]',
        size === 'md' && 'size-6 text-2xs',
        size === 'lg' && 'size-9 text-sm',
      )}
    >
      {initials || '?'}
    </span>
  );
}
