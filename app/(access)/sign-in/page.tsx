import { redirect } from 'next/navigation';
import { SignInView } from '#components/access/sign-in-view.tsx';
import { BareShell } from '#components/console/shell.tsx';
import { hasAdmin } from '#lib/access/has-admin.ts';
import { returnPath } from '#lib/access/return-path.ts';
import { readPageCtx } from '../../page-context.ts';
import { intentOf } from '../intent.ts';

export const metadata = { title: 'Sign in' };

type Props = { searchParams: Promise<Record<string, string | string[] | undefined>> };

export default async function SignInPage({ searchParams }: Props) {
  const query = await searchParams;
  const to = returnPath(query.to);
  const ctx = await readPageCtx();
  if (ctx.actor.kind === 'person') redirect(to);
  return (
    <BareShell
      footer={`${new URL(ctx.site.consoleOrigin).host} · Countersign never asks for your password anywhere else.`}
    >
      <SignInView
        to={to}
        intent={intentOf(to)}
        error={typeof query.error === 'string' ? query.error : null}
        signedOut={query['signed-out'] !== undefined}
        provider={ctx.site.identityProvider?.name ?? null}
        nobodyYet={!(await hasAdmin(ctx))}
      />
    </BareShell>
  );
}
