/** A key to press. */
export function Kbd({ children }: { children: string }) {
  return (
    <kbd className="inline-flex h-4.5 min-w-4.5 items-center justify-center rounded-xs border border-line-strong bg-sunken px-1 text-2xs text-fg-2">
      {children}
    </kbd>
  );
}
