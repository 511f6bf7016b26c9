import type { Action } from '#components/console/action.ts';
import type { ResetLink } from '#lib/access/invitations.ts';
import type { GrantOutcome } from '#lib/access/roles.ts';

type Role = 'owner' | 'approver' | 'auditor' | 'admin';

export type PersonActions = {
  addGroupMember: Action<{ groupId: string; personId: string }, void>;
  confirmRole: Action<{ grantId: string }, void>;
  deactivatePerson: Action<{ personId: string; reason: string }, void>;
  endApiToken: Action<{ tokenId: string }, void>;
  endRole: Action<{ grantId: string; reason?: string }, void>;
  endSession: Action<{ sessionId: string }, void>;
  grantRole: Action<{ personId: string; role: Role }, GrantOutcome>;
  issuePasswordReset: Action<{ personId: string }, ResetLink>;
  reactivatePerson: Action<{ personId: string }, void>;
  removeGroupMember: Action<{ groupId: string; personId: string }, void>;
  resetKeys: Action<{ personId: string; reason: string }, { endedKeys: number }>;
  unlinkPerson: Action<{ personId: string }, void>;
};
