import type { Result } from '#lib/platform/result.ts';
import type { TokenRefusal } from './refusal.ts';

/** A successful token answer (RFC 6749 §5.1), in wire names. `scope` is always there: clients decide by it. */
export type TokenAnswer = {
  access_token: string;
  token_type: 'Bearer';
  expires_in: number;
  scope: string;
  refresh_token?: string;
};

/** Whom a refusal concerns, as far as the request proved it. */
export type RefusedParty = {
  clientId: string;
  agentId: string | null;
  proved: boolean;
};

export type GrantOutcome = Result<TokenAnswer, TokenRefusal & { party?: RefusedParty }>;
