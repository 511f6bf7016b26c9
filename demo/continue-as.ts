import type { IncomingMessage, ServerResponse } from 'node:http';
import { sessionTokenOf } from '#gate/session.ts';
import { sessionCookieName } from '#gate/session-cookie.ts';
import { elevate, hasPasskey } from '#lib/access/confirm.ts';
import { findSession, type SessionFacts } from '#lib/access/read-actor.ts';
import { returnPath } from '#lib/access/return-path.ts';
import { createHandoff, openSession } from '#lib/access/sessions.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { withTransaction } from '#lib/platform/db.ts';
import { newId } from '#lib/platform/ids.ts';
import { type DemoKeys, openDemoKeys } from './keys.ts';
import { personas } from './personas.ts';

const maxFormBytes = 4_096;

/**
 * In the demo one continues as somebody instead of signing in. This page and its form answer for the console's host
 * before the console is asked, and live outside of it: the console's own bundle knows nothing of a way in without a
 * password. Returns whether the request was answered.
 */
export function createContinueAs(ctx: Ctx, dataFolder: string) {
  return async (incoming: IncomingMessage, outgoing: ServerResponse, path: string): Promise<boolean> => {
    const url = new URL(incoming.url ?? '/', ctx.site.consoleOrigin);
    if (path === '/sign-in' && incoming.method === 'GET') {
      const next = url.searchParams.get('to');
      answerRedirect(outgoing, `/demo${next ? `?next=${encodeURIComponent(next)}` : ''}`);
      return true;
    }
    if (path === '/demo/sign' && incoming.method === 'POST') {
      await signHere(ctx, openDemoKeys(dataFolder), incoming, outgoing);
      return true;
    }
    if (path === '/demo/confirm' && incoming.method === 'POST') {
      await confirmHere(ctx, incoming, outgoing);
      return true;
    }
    if (path !== '/demo') return false;
    if (incoming.method === 'POST') await continueAs(ctx, incoming, outgoing);
    else answerPage(outgoing, returnPath(url.searchParams.get('next')), url.searchParams.has('refused'));
    return true;
  };
}

async function continueAs(ctx: Ctx, incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  const form = new URLSearchParams(await readForm(incoming));
  const persona = personas.find((each) => each.key === form.get('persona'));
  const person = persona ? await ctx.db.prisma.person.findUnique({ where: { email: persona.email } }) : null;
  // A foreign page must not be able to sign a browser in, not even here.
  if (incoming.headers.origin !== ctx.site.consoleOrigin || !person)
    return answerRedirect(outgoing, '/demo?refused');
  const visit = visitOf(ctx, incoming);
  const handoff = await createHandoff(ctx.db.prisma, visit, person.id, 'demo');
  const { token, expiresAt } = await openSession(visit, { handoff, previousToken: null });
  setSession(ctx, outgoing, token, expiresAt);
  answerRedirect(outgoing, returnPath(form.get('next')));
}

/** A click is proof enough here, for whoever has no passkey: the console's dialog asks this page instead of a password. */
async function confirmHere(ctx: Ctx, incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  const visit = visitOf(ctx, incoming);
  const session = await visitorOf(visit, incoming);
  const confirmed = session
    ? await withTransaction(visit, async (tx) => {
        const { actor } = session;
        if (await hasPasskey(tx, visit, actor.personId)) return null;
        return elevate(tx, { ...visit, actor }, actor, 'demo');
      })
    : null;
  if (confirmed) setSession(ctx, outgoing, confirmed.token, confirmed.expiresAt);
  outgoing.writeHead(confirmed ? 204 : 403, { 'cache-control': 'no-store' });
  outgoing.end();
}

/** Signs an approval with the key of the persona who asks, kept in the demo's folder: a click instead of a passkey. */
async function signHere(
  ctx: Ctx,
  keys: DemoKeys,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): Promise<void> {
  const session = await visitorOf(visitOf(ctx, incoming), incoming);
  // Whoever has a passkey here signs with that, as they would outside of the demo.
  const signsHere = session !== null && !(await hasPasskey(ctx.db.prisma, ctx, session.actor.personId));
  const persona = signsHere ? personas.find(({ email }) => email === session.email) : undefined;
  const statement = await readForm(incoming);
  outgoing.writeHead(persona ? 200 : 403, {
    'content-type': 'application/json',
    'cache-control': 'no-store',
  });
  outgoing.end(JSON.stringify(persona ? keys.sign(persona.key, statement) : {}));
}

/** Whose session this browser holds; null for a foreign page, which must not act with it. */
async function visitorOf(visit: Ctx, incoming: IncomingMessage): Promise<SessionFacts | null> {
  const sent = sessionTokenOf(incoming.headers.cookie, visit.site.consoleOrigin);
  if (!sent || incoming.headers.origin !== visit.site.consoleOrigin) return null;
  return findSession(visit, sent);
}

function visitOf(ctx: Ctx, incoming: IncomingMessage): Ctx {
  return {
    ...ctx,
    actor: { kind: 'anonymous' },
    traceId: newId('trace'),
    address: incoming.socket.remoteAddress ?? null,
    userAgent: incoming.headers['user-agent'] ?? null,
  };
}

function setSession(ctx: Ctx, outgoing: ServerResponse, token: string, expiresAt: string): void {
  outgoing.setHeader(
    'set-cookie',
    `${sessionCookieName(ctx.site.consoleOrigin)}=${token}; Path=/; HttpOnly; SameSite=Lax; Expires=${new Date(expiresAt).toUTCString()}`,
  );
}

async function readForm(incoming: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxFormBytes) return '';
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function answerRedirect(outgoing: ServerResponse, location: string): void {
  outgoing.writeHead(303, { location, 'cache-control': 'no-store' });
  outgoing.end();
}

const style = `
:root { color-scheme: light dark; --bg: #f7f7f5; --card: #fff; --text: #1c1d1f; --muted: #5d6066; --line: #dcdcd8; --accent: #2f5d50; }
@media (prefers-color-scheme: dark) { :root { --bg: #121314; --card: #1a1c1e; --text: #ececea; --muted: #a3a6ab; --line: #303336; --accent: #8fc7b4; } }
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 16px; background: var(--bg); color: var(--text); font: 14px/1.5 system-ui, sans-serif; }
main { width: 100%; max-width: 560px; }
h1 { margin: 0 0 4px; font-size: 20px; }
p { margin: 0 0 16px; color: var(--muted); }
[role="alert"] { color: var(--text); border-left: 3px solid #c0392b; padding-left: 12px; }
ul { list-style: none; margin: 0; padding: 0; border: 1px solid var(--line); border-radius: 8px; background: var(--card); }
li { display: flex; gap: 12px; align-items: center; justify-content: space-between; padding: 12px 16px; flex-wrap: wrap; }
li + li { border-top: 1px solid var(--line); }
strong { display: block; }
small { color: var(--muted); font-size: 13px; }
button { font: inherit; min-height: 36px; padding: 0 14px; border-radius: 6px; border: 1px solid var(--accent); background: transparent; color: var(--accent); cursor: pointer; }
button:hover { background: var(--accent); color: var(--card); }
button:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
`;

function answerPage(outgoing: ServerResponse, next: string, refused: boolean): void {
  const rows = personas
    .map(
      ({
        key,
        displayName,
        roles,
        does,
      }) => `<li><span><strong>${displayName}</strong><small>${roles.join(', ')}: ${does}</small></span>
<button name="persona" value="${key}">Continue as ${displayName.split(' ')[0]}</button></li>`,
    )
    .join('\n');
  const html = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Countersign demo</title><style>${style}</style></head>
<body><main><h1>Countersign demo</h1><p>Everything here is made up and runs on this machine only. Who would you like to be?</p>
${refused ? '<p role="alert">That did not come from this page. Choose again.</p>' : ''}
<form method="post" action="/demo"><input type="hidden" name="next" value="${escapeHtml(next)}"><ul>${rows}</ul></form></main></body></html>`;
  outgoing.writeHead(200, {
    'content-type': 'text/html; charset=utf-8',
    'cache-control': 'no-store',
    'content-security-policy':
      "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    'referrer-policy': 'same-origin',
    'x-content-type-options': 'nosniff',
  });
  outgoing.end(html);
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
