import { ForbiddenState } from '#components/console/states.tsx';
import { listAdminNames } from '#lib/access/read-people.ts';
import { neededRoles, readPageCtx } from './page-context.ts';

export const metadata = { title: 'Not allowed' };

/** The page exists and this person lacks a role for it: says which, and who can grant it. */
export default async function Forbidden() {
  const { roles } = neededRoles();
  const ctx = await readPageCtx();
  const grantors = ctx.actor.kind === 'person' ? await listAdminNames(ctx) : [];
  return (
    <div className="mx-auto w-full max-w-xl px-4 py-16">
      <ForbiddenState needs={roles.length > 0 ? roles : ['admin']} grantors={grantors} />
    </div>
  );
}
