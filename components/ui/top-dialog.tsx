'use client';

import {
  createContext,
  type ReactNode,
  useCallback,
  useContext,
  useEffect,
  useId,
  useMemo,
  useState,
} from 'react';

type TopDialog = {
  content: ReactNode;
  top: string | undefined;
  show(content: ReactNode): void;
  mount(outlet: string): () => void;
};

const TopDialogContext = createContext<TopDialog | null>(null);

/**
 * Lets one dialog open over whichever other is open, as its child: so that focus, Escape and a press outside are the
 * inner one's, and the outer one keeps what was typed in it. The provider is an outlet itself; every dialog is another.
 */
export function TopDialogProvider({ children }: { children: ReactNode }) {
  const [content, show] = useState<ReactNode>(null);
  const [outlets, setOutlets] = useState<readonly string[]>([]);
  const mount = useCallback((outlet: string) => {
    setOutlets((known) => [...known, outlet]);
    return () => setOutlets((known) => known.filter((each) => each !== outlet));
  }, []);
  const value = useMemo(() => ({ content, top: outlets.at(-1), show, mount }), [content, outlets, mount]);
  return (
    <TopDialogContext value={value}>
      {children}
      {outlets.length === 0 && <Shown>{content}</Shown>}
    </TopDialogContext>
  );
}

/** Where the top dialog opens when this is the innermost place for it. */
export function TopDialogOutlet() {
  const id = useId();
  const host = useContext(TopDialogContext);
  const mount = host?.mount;
  useEffect(() => mount?.(id), [mount, id]);
  return host && host.top === id ? <Shown>{host.content}</Shown> : null;
}

/** The top dialog's own outlet is none: it cannot open inside itself. */
function Shown({ children }: { children: ReactNode }) {
  return <TopDialogContext value={null}>{children}</TopDialogContext>;
}

export function useTopDialog(): TopDialog['show'] | null {
  return useContext(TopDialogContext)?.show ?? null;
}
