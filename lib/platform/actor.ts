export type Role = 'owner' | 'approver' | 'auditor' | 'admin';
export const roles: readonly Role[] = ['owner', 'approver', 'auditor', 'admin'];

/** A person through a browser session or an API token; roles are as read for this very request. */
export type PersonActor = {
  readonly kind: 'person';
  readonly personId: string;
  /** The verified subject: what separation of duties compares. */
  readonly subject: string;
  readonly displayName: string;
  readonly roles: readonly Role[];
  /** How they came: a browser session, or an API token (which may stop things and approve low risk, never sign). */
  readonly via: 'session' | 'token';
  readonly sessionId: string | null;
  readonly authnAt: Date | null;
  /** When whoever sits at this browser last proved to be this person; null: not lately, or an API token. */
  readonly elevatedAt: Date | null;
};

export type Actor =
  | PersonActor
  | { readonly kind: 'client'; readonly clientId: string }
  | { readonly kind: 'guard'; readonly guardId: string; readonly name: string }
  /** The host itself: jobs, first start, the command line. */
  | { readonly kind: 'system'; readonly name: string }
  | { readonly kind: 'anonymous' };

export const anonymous: Actor = { kind: 'anonymous' };

export function systemActor(name: string): Actor {
  return { kind: 'system', name };
}

export function actorIdOf(actor: Actor): string | null {
  switch (actor.kind) {
    case 'person':
      return actor.personId;
    case 'client':
      return actor.clientId;
    case 'guard':
      return actor.guardId;
    case 'system':
      return actor.name;
    case 'anonymous':
      return null;
  }
}
