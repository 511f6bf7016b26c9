import { CircleAlert, CircleOff, Lock, type LucideIcon, RotateCw, SearchX } from 'lucide-react';
import type { ReactNode } from 'react';
import { cn } from '#components/ui/cn.ts';
import { CopyButton } from '#components/ui/copy-button.tsx';
import { LinkButton } from '#components/ui/link-button.tsx';

function Frame({
  icon: Icon,
  tone = 'text-fg-3',
  title,
  level = 2,
  boxed,
  role,
  actions,
  children,
}: {
  icon: LucideIcon;
  tone?: string;
  title: ReactNode;
  level?: 1 | 2 | 3;
  boxed?: boolean;
  role?: 'alert' | 'status';
  actions?: ReactNode;
  children?: ReactNode;
}) {
  const Heading = `h${level}` as const;
  return (
    <div
      role={role}
      className={cn(
        'flex flex-col items-center justify-center gap-3 px-6 py-12 text-center',
        boxed && 'rounded-lg border border-line bg-surface',
      )}
    >
      <span className="flex size-10 items-center justify-center rounded-lg border border-line bg-sunken">
        <Icon aria-hidden className={cn('size-5', tone)} strokeWidth={1.75} />
      </span>
      <div className="grid max-w-md gap-1">
        <Heading className="font-semibold text-base">{title}</Heading>
        {children && <div className="text-sm text-fg-2">{children}</div>}
      </div>
      {actions && <div className="no-print flex flex-wrap justify-center gap-2">{actions}</div>}
    </div>
  );
}

/** Nothing is here: says why and what to do first. */
export function EmptyState({
  icon = CircleOff,
  title,
  actions,
  boxed = true,
  level,
  children,
}: {
  icon?: LucideIcon;
  title: ReactNode;
  actions?: ReactNode;
  boxed?: boolean;
  level?: 2 | 3;
  children?: ReactNode;
}) {
  return (
    <Frame icon={icon} title={title} actions={actions} boxed={boxed} level={level}>
      {children}
    </Frame>
  );
}

/** Filters hide every row; one click removes them. */
export function EmptyByFilter({
  noun,
  clearHref,
  boxed = true,
  children,
}: {
  /** Plural, as in "No requests match". */
  noun: string;
  clearHref: string;
  boxed?: boolean;
  children?: ReactNode;
}) {
  return (
    <Frame
      icon={SearchX}
      title={`No ${noun} match these filters`}
      boxed={boxed}
      actions={<LinkButton href={clearHref}>Clear filters</LinkButton>}
    >
      {children ?? 'Other rows exist; the filters hide them.'}
    </Frame>
  );
}

/** A section or page that could not be loaded. The request id lets an operator find the cause. */
export function ErrorState({
  title = 'This could not be loaded',
  requestId,
  retry,
  boxed = true,
  level,
  children,
}: {
  title?: ReactNode;
  requestId?: string | null;
  /** A button or link that tries again. */
  retry?: ReactNode;
  boxed?: boolean;
  level?: 1 | 2 | 3;
  children?: ReactNode;
}) {
  return (
    <Frame
      icon={CircleAlert}
      tone="text-danger"
      title={title}
      role="alert"
      boxed={boxed}
      level={level}
      actions={retry}
    >
      {children ?? 'Nothing was changed. Try again; if it persists, give the operator the reference below.'}
      {requestId && (
        <div className="mt-2 flex items-center justify-center gap-1 text-fg-3 text-xs">
          Reference <code className="break-all text-fg-2">{requestId}</code>
          <CopyButton text={requestId} label="Copy reference" />
        </div>
      )}
    </Frame>
  );
}

/** The person may not see or do this: which role is missing and who can grant it. */
export function ForbiddenState({
  title = 'You cannot open this page',
  needs,
  grantors,
  boxed = true,
  level = 1,
}: {
  title?: ReactNode;
  /** The roles of which one is enough, as in "approver". */
  needs: ReadonlyArray<string>;
  /** Names of people who can grant it. */
  grantors?: ReadonlyArray<string>;
  boxed?: boolean;
  level?: 1 | 2;
}) {
  const list = new Intl.ListFormat('en', { type: 'disjunction' });
  return (
    <Frame
      icon={Lock}
      title={title}
      boxed={boxed}
      level={level}
      actions={<LinkButton href="/">Go to Home</LinkButton>}
    >
      It needs the role {list.format(needs)}.
      {grantors && grantors.length > 0
        ? ` ${list.format(grantors)} can grant it.`
        : ' An administrator can grant it.'}
    </Frame>
  );
}

/** Something that existed and ended: its last state and where the story goes on. */
export function GoneState({
  title,
  successor,
  children,
}: {
  title: ReactNode;
  successor?: { label: string; href: string };
  children?: ReactNode;
}) {
  return (
    <Frame
      icon={RotateCw}
      title={title}
      boxed
      actions={successor && <LinkButton href={successor.href}>{successor.label}</LinkButton>}
    >
      {children}
    </Frame>
  );
}
