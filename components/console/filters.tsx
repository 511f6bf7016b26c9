'use client';

import { Search, SlidersHorizontal, X } from 'lucide-react';
import Link from 'next/link';
import { type ReactNode, useEffect, useId, useRef, useState } from 'react';
import { Button } from '#components/ui/button.tsx';
import { Checkbox } from '#components/ui/checkbox.tsx';
import { cn } from '#components/ui/cn.ts';
import { Input } from '#components/ui/input.tsx';

export type FacetValue = { value: string; label?: string; count?: number; mark?: ReactNode };

/** Values of one property with their counts. Choosing one filters at once; several of the same facet widen. */
export function Facet({
  title,
  values,
  chosen,
  onChange,
  initiallyShown = 8,
}: {
  title: string;
  values: ReadonlyArray<FacetValue>;
  chosen: ReadonlyArray<string>;
  onChange: (chosen: string[]) => void;
  initiallyShown?: number;
}) {
  const [all, setAll] = useState(false);
  const shown = all
    ? values
    : values.filter((entry, index) => index < initiallyShown || chosen.includes(entry.value));
  return (
    <fieldset className="min-w-0 border-line border-b py-3 first:pt-0 last:border-b-0">
      <legend className="float-left mb-1.5 w-full font-medium text-fg-2 text-xs">{title}</legend>
      <div className="clear-both grid gap-0.5">
        {shown.map((entry) => (
          <div key={entry.value} className="flex items-start justify-between gap-2">
            <Checkbox
              className="min-w-0 flex-1"
              label={
                <>
                  {entry.mark ?? <span className="block truncate">{entry.label ?? entry.value}</span>}
                  {entry.count !== undefined && (
                    <span className="sr-only">, {entry.count.toLocaleString('en')}</span>
                  )}
                </>
              }
              checked={chosen.includes(entry.value)}
              onCheckedChange={(on) =>
                onChange(on ? [...chosen, entry.value] : chosen.filter((value) => value !== entry.value))
              }
            />
            {entry.count !== undefined && (
              <span aria-hidden className="pt-0.5 text-fg-3 text-xs">
                {entry.count.toLocaleString('en')}
              </span>
            )}
          </div>
        ))}
        {values.length > shown.length && (
          <Button variant="ghost" size="sm" className="justify-self-start" onClick={() => setAll(true)}>
            {values.length - shown.length} more
          </Button>
        )}
      </div>
    </fieldset>
  );
}

/** Facets beside a list; on narrow screens they fold away behind a button. */
export function FacetList({ label = 'Filters', children }: { label?: string; children: ReactNode }) {
  const [open, setOpen] = useState(false);
  const id = useId();
  return (
    <aside aria-label={label} className="no-print text-sm">
      <Button
        className="w-full lg:hidden"
        aria-expanded={open}
        aria-controls={id}
        icon={<SlidersHorizontal aria-hidden />}
        onClick={() => setOpen(!open)}
      >
        {label}
      </Button>
      <div id={id} className={cn('lg:block lg:pt-0', open ? 'pt-3' : 'hidden')}>
        {children}
      </div>
    </aside>
  );
}

/** A row above a list: search, filters, what is applied, and what can be done with the list. */
export function FilterBar({
  children,
  applied = [],
  clearHref,
  actions,
}: {
  children?: ReactNode;
  /** Filters in force; each can be taken away by its link. */
  applied?: ReadonlyArray<{ label: string; removeHref: string }>;
  clearHref?: string;
  actions?: ReactNode;
}) {
  return (
    <div className="no-print grid gap-2">
      <div className="flex flex-wrap items-center gap-2">
        {children}
        {actions && <div className="ml-auto flex flex-wrap items-center gap-2">{actions}</div>}
      </div>
      {applied.length > 0 && (
        <ul aria-label="Applied filters" className="flex flex-wrap items-center gap-1.5">
          {applied.map((filter) => (
            <li key={filter.removeHref}>
              <Link
                href={filter.removeHref}
                className="inline-flex min-h-6 items-center gap-1 rounded-sm border border-violet-line bg-violet-bg pr-1 pl-1.5 text-violet text-xs hover:border-violet pointer-coarse:min-h-11"
              >
                <span className="sr-only">Remove filter </span>
                {filter.label}
                <X aria-hidden className="size-3" />
              </Link>
            </li>
          ))}
          {clearHref && applied.length > 1 && (
            <li>
              <Link
                href={clearHref}
                className="inline-flex min-h-6 items-center rounded-sm px-1 text-fg-2 text-xs underline-offset-2 hover:underline"
              >
                Clear all
              </Link>
            </li>
          )}
        </ul>
      )}
    </div>
  );
}

const TYPING_PAUSE_MS = 250;

/** Searches while typing, after a short pause; Escape clears. */
export function SearchInput({
  value,
  onSearch,
  label,
  placeholder,
  className,
}: {
  value: string;
  onSearch: (text: string) => void;
  label: string;
  placeholder?: string;
  className?: string;
}) {
  const [text, setText] = useState(value);
  const told = useRef(value);
  const tell = useRef(onSearch);
  tell.current = onSearch;
  // The address may change without typing: back button, cleared filters.
  useEffect(() => {
    if (value === told.current) return;
    told.current = value;
    setText(value);
  }, [value]);
  useEffect(() => {
    if (text === told.current) return;
    const timer = setTimeout(() => {
      told.current = text;
      tell.current(text);
    }, TYPING_PAUSE_MS);
    return () => clearTimeout(timer);
  }, [text]);
  return (
    <search className={cn('w-full sm:w-64', className)}>
      <Input
        type="search"
        aria-label={label}
        placeholder={placeholder ?? label}
        leading={<Search />}
        value={text}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={(event) => {
          if (event.key === 'Escape' && text) {
            event.preventDefault();
            setText('');
          }
        }}
      />
    </search>
  );
}
