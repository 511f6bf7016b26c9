import { oauthError } from '#lib/oauth/oauth-error.ts';
import { beginAuthorization } from '#lib/registration/begin-authorization.ts';
import { ctxOf } from '../context.ts';
import { toErrorResponse } from './answer.ts';
import type { Register } from './endpoint.ts';

const pageHeaders = {
  'cache-control': 'no-store',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'content-security-policy':
    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
} as const;

/**
 * The authorization endpoint (RFC 6749 §3.1). It stores nothing and knows nobody: whoever is asked signs in on the
 * console's host, whose cookies no redirect to a client can carry.
 */
export const registerAuthorize: Register = (app, gate) => {
  app.get('/authorize', async (c) => {
    const query = c.req.url.includes('?') ? c.req.url.slice(c.req.url.indexOf('?') + 1) : '';
    const answer = await beginAuthorization(ctxOf(gate, c.env.caller), query);
    if (answer.kind !== 'page') {
      return new Response(null, { status: 303, headers: { ...pageHeaders, location: answer.location } });
    }
    // A client may look before it sends a person: it reads JSON, and invalid_client tells it to register again.
    if (!wantsHtml(c.req.header('accept'))) {
      return toErrorResponse(oauthError(answer.error, answer.description, { status: 400 }));
    }
    return new Response(toPage(answer.title, answer.description, c.env.caller.traceId ?? ''), {
      status: 400,
      headers: { ...pageHeaders, 'content-type': 'text/html; charset=utf-8' },
    });
  });
};

function wantsHtml(accept: string | undefined): boolean {
  return accept?.toLowerCase().includes('text/html') ?? false;
}

function toHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** The only page of the issuer's host: no script, no cookie, no link to anywhere a request could have chosen. */
function toPage(title: string, description: string, traceId: string): string {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${toHtml(title)} · Countersign</title>
<style>
  :root { color-scheme: light dark; --ink: #1b1f24; --soft: #59636e; --ground: #f6f7f9; --card: #fff; --line: #d9dee3 }
  @media (prefers-color-scheme: dark) { :root { --ink: #e6e9ec; --soft: #9aa4ae; --ground: #0f1215; --card: #171b1f; --line: #2b3238 } }
  body { margin: 0; min-height: 100vh; display: grid; place-items: center; background: var(--ground); color: var(--ink);
         font: 15px/1.55 Inter, ui-sans-serif, system-ui, sans-serif }
  main { max-width: 34rem; margin: 1.5rem; padding: 2rem; background: var(--card); border: 1px solid var(--line); border-radius: 10px }
  h1 { margin: 0 0 .5rem; font-size: 1.25rem; line-height: 1.3 }
  p { margin: .5rem 0 0 } small { color: var(--soft) } code { font: 12px ui-monospace, monospace; word-break: break-all }
</style>
<main>
<h1>${toHtml(title)}</h1>
<p>${toHtml(description)}</p>
<p><small>Countersign sent you nowhere and stored nothing. Reference <code>${toHtml(traceId)}</code></small></p>
</main>
</html>
`;
}
