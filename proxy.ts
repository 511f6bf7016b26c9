import { type NextRequest, NextResponse } from 'next/server';

const isDevelopment = process.env.NODE_ENV === 'development';

/**
 * Builds the Content-Security-Policy of one console page (CSP level 3).
 *
 * Scripts and style elements run only with this request's nonce; `strict-dynamic` lets the framework load its own
 * chunks and nothing else. Style *attributes* stay allowed because server-rendered markup carries them and they
 * cannot run code. No page may be framed, so no decision can be click-jacked.
 */
export function contentSecurityPolicy(nonce: string): string {
  return [
    "default-src 'none'",
    `script-src 'nonce-${nonce}' 'strict-dynamic'${isDevelopment ? " 'unsafe-eval'" : ''}`,
    `style-src 'self' 'nonce-${nonce}'`,
    "style-src-attr 'unsafe-inline'",
    "img-src 'self' data:",
    "font-src 'self'",
    "connect-src 'self'",
    "manifest-src 'self'",
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
    "object-src 'none'",
  ].join('; ');
}

/** Gives every page a fresh nonce, told to the renderer by request header and to the browser by policy. */
export function proxy(request: NextRequest) {
  const nonce = btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(16))));
  const policy = contentSecurityPolicy(nonce);
  const headers = new Headers(request.headers);
  headers.set('x-nonce', nonce);
  headers.set('content-security-policy', policy);
  const response = NextResponse.next({ request: { headers } });
  response.headers.set('content-security-policy', policy);
  return response;
}

export const config = {
  // Prefetches are included on purpose: their answers can be rendered, so they carry a policy too.
  matcher: ['/((?!_next/static|_next/image|favicon.ico|icon.svg|mark.svg|fonts/).*)'],
};
