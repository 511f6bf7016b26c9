import type { OAuthErrorCode } from '#lib/oauth/oauth-error.ts';
import { consoleUrl, type Site } from '#lib/platform/ctx.ts';
import type { Standing, Verdict } from './standing.ts';

/** Why a token endpoint says no: the wire code clients react to, a sentence they print, a page a person can act on. */
export type TokenRefusal = {
  code: OAuthErrorCode;
  description: string;
  errorUri?: string;
  challenge?: 'Basic';
  retryAfterSeconds?: number;
  /** Closed word for history; never on the wire. */
  reason: string;
};

export function refusal(
  code: OAuthErrorCode,
  reason: string,
  description: string,
  extra: Pick<TokenRefusal, 'errorUri' | 'challenge' | 'retryAfterSeconds'> = {},
): TokenRefusal {
  return { code, reason, description, ...extra };
}

export type Grant = 'authorization_code' | 'refresh_token' | 'client_credentials';

/**
 * What a client is told in each state. The codes are chosen by what real clients do with them: `invalid_client` and
 * `unauthorized_client` make them throw their registration away and register anew, `invalid_grant` makes them sign
 * in again, `access_denied` leaves everything as it is and shows the sentence. So what a person may still undo
 * answers `access_denied`, what is over `invalid_grant`, and only a forgotten client `invalid_client`.
 */
export function refusalOf(
  site: Site,
  grant: Grant,
  standing: Standing,
  verdict: Exclude<Verdict, { kind: 'live' }>,
): TokenRefusal {
  const agentName = standing.agent?.name ?? 'This client';
  const agentPage = standing.agent
    ? { errorUri: consoleUrl(site, `/agents/${standing.agent.id}`) }
    : { errorUri: consoleUrl(site, '/') };
  const requestPage = standing.request
    ? { errorUri: consoleUrl(site, `/requests/${standing.request.id}`) }
    : agentPage;
  const number = standing.request ? `CS-${standing.request.number}` : null;
  const ended = grant === 'client_credentials' ? 'access_denied' : 'invalid_grant';
  switch (verdict.kind) {
    case 'forgotten':
      return refusal('invalid_client', 'forgotten', 'This client is no longer known here. Register again.');
    case 'pending':
      return refusal(
        'access_denied',
        'pending',
        number
          ? `Request ${number} is waiting for a decision: ${requestPage.errorUri}`
          : `Nobody has claimed this client yet. Sign in at ${requestPage.errorUri} and say what it is for.`,
        requestPage,
      );
    case 'rejected':
      return refusal(
        'access_denied',
        'rejected',
        `${number ? `Request ${number}` : 'The request for this client'} was not approved: ${requestPage.errorUri}`,
        requestPage,
      );
    case 'unclaimed':
      return refusal(
        ended,
        'unclaimed',
        'Nobody claimed this client in time. Ask again to use it.',
        requestPage,
      );
    case 'suspended':
      if (verdict.fatal && grant !== 'client_credentials') {
        return refusal(
          'invalid_grant',
          'suspended',
          `${agentName} is suspended, and its sign-ins have ended.`,
          agentPage,
        );
      }
      return refusal(
        'access_denied',
        'suspended',
        `${agentName} is suspended. Its owner can ask to reinstate it: ${agentPage.errorUri}`,
        agentPage,
      );
    case 'owner-disabled':
      return refusal(
        'access_denied',
        'owner disabled',
        `The owner of ${agentName} is no longer active. Somebody else has to take it over: ${agentPage.errorUri}`,
        agentPage,
      );
    case 'changed':
      return refusal(
        'access_denied',
        'metadata changed',
        `The registration of ${agentName} is no longer what was approved. It needs a new decision: ${agentPage.errorUri}`,
        agentPage,
      );
    case 'revoked':
      return refusal(
        'invalid_grant',
        'revoked',
        `${agentName} was revoked. Ask for a new approval to use it.`,
        agentPage,
      );
    case 'expired':
      return expiredRefusal(site, grant, standing);
    case 'issuance-stopped':
      return refusal(
        'temporarily_unavailable',
        'issuance stopped',
        'Issuing is stopped until an admin has looked at this installation.',
        { retryAfterSeconds: 60 },
      );
  }
}

/** The approval ran out, of the agent or of the one server asked for. */
export function expiredRefusal(site: Site, grant: Grant, standing: Standing): TokenRefusal {
  const errorUri = consoleUrl(site, standing.agent ? `/agents/${standing.agent.id}` : '/');
  return refusal(
    grant === 'client_credentials' ? 'access_denied' : 'invalid_grant',
    'expired',
    `The approval of ${standing.agent?.name ?? 'this client'} has ended. Ask again: ${errorUri}`,
    { errorUri },
  );
}

/** Something moved while this was answered, more than once. Nothing happened; the same request may be sent again. */
export const tryAgain = refusal(
  'temporarily_unavailable',
  'raced',
  'Something changed while this was answered. Try again.',
  { retryAfterSeconds: 1 },
);
