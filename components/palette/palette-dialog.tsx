'use client';

import { Dialog } from '@base-ui/react/dialog';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { CircleArrowRight, CornerDownLeft, Search, X } from 'lucide-react';
import { useRouter } from 'next/navigation';
import { type KeyboardEvent, type RefObject, useEffect, useId, useRef, useState } from 'react';
import { ApiError, getJson } from '#components/console/fetch-json.ts';
import { stateWord } from '#components/console/state-pill.tsx';
import { UntrustedText } from '#components/console/untrusted-text.tsx';
import type { Viewer } from '#components/console/viewer.ts';
import { cn } from '#components/ui/cn.ts';
import { dialogBackdropClass } from '#components/ui/dialog.tsx';
import { Kbd } from '#components/ui/kbd.tsx';
import type { Found } from '#lib/search/search.ts';
import { arrange, type Entry } from './entries.ts';
import type { PaletteMode } from './open-palette.ts';
import { usePaletteActions } from './page-actions.ts';
import { keepRecent, readRecent } from './recent.ts';

/** Long enough that a word is not asked for letter by letter, short enough not to be waited for. */
const pauseMs = 140;

/**
 * One field over the page for finding and doing: a combobox whose list is always open (ARIA APG, combobox with list
 * popup). The focus stays in the field; the arrows move through the list. Choosing an action opens its dialog.
 */
export function PaletteDialog({
  viewer,
  mode,
  open,
  onOpenChange,
  returnTo,
}: {
  viewer: Viewer;
  mode: PaletteMode;
  open: boolean;
  onOpenChange: (open: boolean) => void;
  returnTo: RefObject<HTMLElement | null>;
}) {
  const router = useRouter();
  const id = useId();
  const field = useRef<HTMLInputElement>(null);
  const list = useRef<HTMLDivElement>(null);
  const chosen = useRef<Entry | null>(null);
  const [typed, setTyped] = useState('');
  const [text, setText] = useState('');
  const [activeKey, setActiveKey] = useState<string | null>(null);
  /** Enter came before the answer: the first of what is found is meant. */
  const [goFirst, setGoFirst] = useState(false);
  const actions = usePaletteActions();
  const stopping = mode === 'stop';

  const wanted = typed.trim();
  useEffect(() => {
    const timer = setTimeout(() => setText(wanted), pauseMs);
    return () => clearTimeout(timer);
  }, [wanted]);
  const search = useQuery({
    // Begins with no topic: what happens elsewhere does not make a list jump under the hand.
    queryKey: ['palette', viewer.personId, mode, text],
    queryFn: ({ signal }) => find(viewer.personId, stopping, text, signal),
    placeholderData: keepPreviousData,
    staleTime: 5_000,
    gcTime: 30_000,
    retry: false,
  });
  const settled = wanted === text && !search.isFetching;
  const groups = arrange({
    text: wanted,
    actions,
    // What was found for another text is no answer to this one, but flickers less than none.
    found: search.data && !(wanted !== '' && text === '') ? search.data : [],
    viewer,
    stopping,
  });
  const entries = groups.flatMap((group) => group.entries);
  const active = entries.find((entry) => entry.key === activeKey) ?? entries[0];
  const optionId = (entry: Entry) => `${id}-${entries.indexOf(entry)}`;

  useEffect(() => {
    if (!goFirst || !settled) return;
    setGoFirst(false);
    const first = groups.flatMap((group) => group.entries)[0];
    if (first) choose(first, false);
  });
  const activeId = active && optionId(active);
  useEffect(() => {
    if (activeId) list.current?.querySelector(`[id="${activeId}"]`)?.scrollIntoView({ block: 'nearest' });
  }, [activeId]);

  function choose(entry: Entry, elsewhere: boolean) {
    if (entry.href && elsewhere) {
      window.open(entry.href, '_blank', 'noopener');
      return;
    }
    chosen.current = entry;
    onOpenChange(false);
    if (entry.href) router.push(entry.href);
  }

  function onKeyDown(event: KeyboardEvent<HTMLInputElement>) {
    if (event.nativeEvent.isComposing) return;
    const at = active ? entries.indexOf(active) : -1;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      event.preventDefault();
      const next = entries[(at + step + entries.length) % Math.max(1, entries.length)];
      if (next) setActiveKey(next.key);
    } else if (event.key === 'PageDown' || event.key === 'PageUp') {
      event.preventDefault();
      const to = Math.min(entries.length - 1, Math.max(0, at + (event.key === 'PageDown' ? 8 : -8)));
      setActiveKey(entries[to]?.key ?? null);
    } else if (event.key === 'Enter') {
      event.preventDefault();
      if (!settled && activeKey === null) setGoFirst(true);
      else if (active) choose(active, event.metaKey || event.ctrlKey);
    }
  }

  const refused = search.error instanceof ApiError ? search.error.message : null;
  return (
    <Dialog.Root
      open={open}
      onOpenChange={(next) => onOpenChange(next)}
      onOpenChangeComplete={(opened) => {
        // Only now is the page free again to open a dialog of its own.
        if (!opened) chosen.current?.run?.();
      }}
    >
      <Dialog.Portal>
        <Dialog.Backdrop className={dialogBackdropClass} />
        <Dialog.Popup
          initialFocus={field}
          finalFocus={() => (chosen.current?.run ? false : (returnTo.current ?? true))}
          className={cn(
            'forced-border fixed top-[max(1rem,8dvh)] left-1/2 z-40 flex max-h-[min(36rem,calc(100dvh-2rem))] w-[calc(100vw-1.5rem)] max-w-160 -translate-x-1/2 flex-col overflow-hidden rounded-xl bg-raised shadow-lg outline-none',
            'transition-[opacity,scale] duration-100 ease-out data-ending-style:opacity-0 data-starting-style:scale-99 data-starting-style:opacity-0',
          )}
        >
          <Dialog.Title className={stopping ? 'px-4 pt-3 font-semibold text-base' : 'sr-only'}>
            {stopping ? 'Stop an agent' : 'Search and commands'}
          </Dialog.Title>
          {stopping && (
            <Dialog.Description className="px-4 text-fg-2 text-xs">
              Choose which. Its page opens and asks before anything is stopped.
            </Dialog.Description>
          )}
          <div className="flex shrink-0 items-center gap-2 border-line border-b pr-2 pl-4">
            <Search aria-hidden className="size-4 shrink-0 text-fg-3" />
            <input
              ref={field}
              type="text"
              role="combobox"
              aria-label={stopping ? 'Find the agent to stop' : 'Search or paste an id, a URL or a digest'}
              aria-expanded={entries.length > 0}
              aria-controls={entries.length > 0 ? `${id}-list` : undefined}
              aria-activedescendant={activeId}
              aria-autocomplete="list"
              autoComplete="off"
              autoCapitalize="off"
              spellCheck={false}
              enterKeyHint="go"
              maxLength={1_000}
              value={typed}
              placeholder={stopping ? 'Its name or id' : 'Search, or paste an id, URL or digest'}
              onChange={(event) => {
                setTyped(event.target.value);
                setActiveKey(null);
                setGoFirst(false);
              }}
              onKeyDown={onKeyDown}
              className="h-12 min-w-0 flex-1 bg-transparent text-base text-fg outline-none"
            />
            <Dialog.Close
              aria-label="Close"
              className="flex size-7 shrink-0 items-center justify-center rounded-md text-fg-3 hover:bg-hover hover:text-fg pointer-coarse:size-11"
            >
              <X aria-hidden className="size-4" />
            </Dialog.Close>
          </div>
          {entries.length > 0 && (
            <div
              ref={list}
              id={`${id}-list`}
              role="listbox"
              aria-label="Results"
              aria-busy={!settled}
              className="min-h-0 flex-1 overflow-y-auto overscroll-contain p-1.5"
            >
              {groups.map((group, index) => (
                // biome-ignore lint/a11y/useSemanticElements: options belong to a group inside a listbox (ARIA 1.2)
                <div key={group.title} role="group" aria-labelledby={`${id}-group-${index}`}>
                  <div
                    id={`${id}-group-${index}`}
                    className="px-2.5 pt-2 pb-1 font-medium text-2xs text-fg-3"
                  >
                    {group.title}
                  </div>
                  {group.entries.map((entry) => (
                    <Option
                      key={entry.key}
                      id={optionId(entry)}
                      entry={entry}
                      active={entry === active}
                      onPoint={() => setActiveKey(entry.key)}
                      onChoose={(elsewhere) => choose(entry, elsewhere)}
                    />
                  ))}
                </div>
              ))}
            </div>
          )}
          {entries.length === 0 && settled && !search.isError && (
            <p className="px-4 py-6 text-fg-2 text-sm">
              {stopping && wanted === ''
                ? 'No active agent is yours to see.'
                : 'Nothing you may see is named so. Ids, client_ids, URLs and digests are found as a whole.'}
            </p>
          )}
          {search.isError && (
            <p className="border-line border-t px-4 py-2.5 text-sm text-warning">
              {refused ?? 'The search does not answer. Check the connection and type on.'}
            </p>
          )}
          <div
            aria-hidden
            className="flex shrink-0 items-center gap-4 border-line border-t px-4 py-2 text-2xs text-fg-3 max-sm:hidden pointer-coarse:hidden"
          >
            <span className="flex items-center gap-1">
              <Kbd>↑</Kbd>
              <Kbd>↓</Kbd> move
            </span>
            <span className="flex items-center gap-1">
              <Kbd>↵</Kbd> open
            </span>
            <span className="flex items-center gap-1">
              <Kbd>Esc</Kbd> close
            </span>
          </div>
          <div role="status" className="sr-only">
            {settled && !search.isError
              ? entries.length === 0
                ? 'Nothing found'
                : `${entries.length} ${entries.length === 1 ? 'entry' : 'entries'}`
              : ''}
          </div>
        </Dialog.Popup>
      </Dialog.Portal>
    </Dialog.Root>
  );
}

function Option({
  id,
  entry,
  active,
  onPoint,
  onChoose,
}: {
  id: string;
  entry: Entry;
  active: boolean;
  onPoint: () => void;
  onChoose: (elsewhere: boolean) => void;
}) {
  const Icon = entry.icon ?? CircleArrowRight;
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the field above has the focus and the keys
    // biome-ignore lint/a11y/useFocusableInteractive: pointed at by aria-activedescendant, never focused
    <div
      id={id}
      role="option"
      aria-selected={active}
      onPointerMove={() => {
        if (!active) onPoint();
      }}
      onClick={(event) => onChoose(event.metaKey || event.ctrlKey)}
      className={cn(
        'flex min-h-9 cursor-pointer items-center gap-2.5 rounded-md px-2.5 py-1.5 text-sm pointer-coarse:min-h-11',
        active && 'bg-selected',
      )}
    >
      <Icon aria-hidden strokeWidth={1.75} className="size-4 shrink-0 text-fg-3" />
      <span className="flex min-w-0 flex-1 flex-wrap items-baseline gap-x-2">
        <span className="min-w-0 max-w-full truncate">
          {entry.untrusted ? <UntrustedText text={entry.label} /> : entry.label}
        </span>
        {entry.detail && (
          <span className="min-w-0 max-w-full truncate text-fg-3 text-xs">
            <UntrustedText text={entry.detail} />
          </span>
        )}
      </span>
      {entry.state && <span className="shrink-0 text-fg-3 text-xs">{stateWord(entry.state)}</span>}
      <CornerDownLeft aria-hidden className={cn('size-3.5 shrink-0 text-fg-3', !active && 'invisible')} />
    </div>
  );
}

/** What was seen last without a text, what it names with one. To stop: agents alone, without a text those that are active. */
async function find(
  personId: string,
  stopping: boolean,
  text: string,
  signal: AbortSignal,
): Promise<Found[]> {
  if (stopping && text === '') {
    const page = await getJson<{
      items: { id: string; name: string; state: string; owner: { displayName: string } }[];
    }>('/api/v1/agents?state=active&limit=12', signal);
    return page.items.map(({ id, name, state, owner }) => ({
      kind: 'agent',
      id,
      label: name,
      detail: owner.displayName,
      state,
      parentId: null,
    }));
  }
  const parameters = new URLSearchParams();
  const recent = text === '' ? readRecent(window.localStorage, personId) : [];
  if (text === '' && recent.length === 0) return [];
  if (text !== '') parameters.set('q', text);
  for (const id of recent) parameters.append('id', id);
  const { items } = await getJson<{ items: Found[] }>(`/api/v1/search?${parameters}`, signal);
  if (text !== '') {
    return stopping
      ? items.filter(({ kind, state }) => kind === 'agent' && state !== null && stoppable.includes(state))
      : items;
  }
  keepRecent(
    window.localStorage,
    personId,
    items.map(({ id }) => id),
  );
  return items.sort((a, b) => recent.indexOf(a.id) - recent.indexOf(b.id));
}

const stoppable: readonly string[] = ['pending', 'active', 'suspended'];
