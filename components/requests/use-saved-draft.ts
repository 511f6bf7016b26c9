'use client';

import { useCallback, useEffect, useRef, useState } from 'react';
import type { z } from 'zod';
import type { Action } from '#components/console/action.ts';
import type { discardDraftInput, SavedDraft, saveDraftInput } from '#lib/approvals/composer-draft.ts';
import { type DraftContent, withoutSecrets } from '#lib/approvals/draft-content.ts';

export type DraftActions = {
  save: Action<z.input<typeof saveDraftInput>, SavedDraft>;
  discard: Action<z.input<typeof discardDraftInput>, { discarded: boolean }>;
};

export type DraftStatus =
  | { kind: 'untouched' }
  | { kind: 'saving' }
  | { kind: 'saved'; at: string }
  /** Another tab went on with the same form: this one saves nothing until its person has chosen. */
  | { kind: 'overtaken' }
  | { kind: 'failed'; why: string };

const pauseMs = 800;

/**
 * Keeps what is typed on the server, a moment after the last change and when the page is left. Saves follow one
 * another, each going on from the version of the one before, so that two tabs cannot overwrite each other.
 */
export function useSavedDraft(
  subject: string,
  kept: SavedDraft | null,
  content: DraftContent,
  actions: DraftActions,
) {
  const [status, setStatus] = useState<DraftStatus>(
    kept ? { kind: 'saved', at: kept.savedAt } : { kind: 'untouched' },
  );
  const version = useRef(kept?.version ?? null);
  const call = useRef(actions);
  call.current = actions;
  const latest = useRef(content);
  latest.current = content;
  const signature = JSON.stringify(content);
  const saved = useRef(signature);
  const running = useRef<Promise<void> | null>(null);
  const isOver = useRef(false);

  const save = useCallback(async () => {
    if (running.current) await running.current;
    const wanted = JSON.stringify(latest.current);
    if (isOver.current || wanted === saved.current) return;
    setStatus({ kind: 'saving' });
    const attempt = async () => {
      const answer = await call.current
        .save(null, { subject, version: version.current, content: withoutSecrets(latest.current) })
        .catch(() => null);
      if (isOver.current) return;
      if (answer?.ok) {
        version.current = answer.output.version;
        saved.current = wanted;
        setStatus({ kind: 'saved', at: answer.output.savedAt });
      } else if (answer?.problem.code === 'conflict') {
        isOver.current = true;
        setStatus({ kind: 'overtaken' });
      } else {
        setStatus({ kind: 'failed', why: answer?.problem.detail ?? 'The server did not answer.' });
      }
    };
    running.current = attempt().finally(() => {
      running.current = null;
    });
    await running.current;
  }, [subject]);

  useEffect(() => {
    if (signature === saved.current) return;
    const timer = setTimeout(save, pauseMs);
    return () => clearTimeout(timer);
  }, [signature, save]);

  useEffect(() => {
    const onHidden = () => {
      if (document.visibilityState === 'hidden') void save();
    };
    document.addEventListener('visibilitychange', onHidden);
    return () => document.removeEventListener('visibilitychange', onHidden);
  }, [save]);

  /** Throws the draft away; what is typed from then on is kept again only with `again`. */
  const discard = useCallback(
    async (again: DraftContent | null) => {
      isOver.current = true;
      if (running.current) await running.current;
      await call.current.discard(null, { subject }).catch(() => null);
      version.current = null;
      if (again === null) return;
      saved.current = JSON.stringify(again);
      isOver.current = false;
      setStatus({ kind: 'untouched' });
    },
    [subject],
  );

  /** Puts this form in the place of the other tab's. */
  const keepThis = useCallback(async () => {
    await call.current.discard(null, { subject }).catch(() => null);
    version.current = null;
    saved.current = '';
    isOver.current = false;
    await save();
  }, [subject, save]);

  return { status, discard, keepThis };
}
