/** A refusal of the console's own API, as told by its problem document (RFC 9457). */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string | null;
  readonly requestId: string | null;

  constructor(status: number, title: string, code: string | null, requestId: string | null) {
    super(title);
    this.name = 'ApiError';
    this.status = status;
    this.code = code;
    this.requestId = requestId;
  }
}

/**
 * Reads from `/api/v1` with the session of the tab. Throws ApiError for any answer but success; a broken connection
 * throws the browser's TypeError, which queries retry.
 */
export async function getJson<T>(path: `/api/v1/${string}`, signal?: AbortSignal): Promise<T> {
  const response = await fetch(path, {
    headers: { accept: 'application/json' },
    credentials: 'same-origin',
    cache: 'no-store',
    signal,
  });
  const body: unknown = await response.json().catch(() => null);
  if (response.ok) return body as T;
  const problem = (typeof body === 'object' && body !== null ? body : {}) as Record<string, unknown>;
  const text = (value: unknown) => (typeof value === 'string' ? value : null);
  throw new ApiError(
    response.status,
    text(problem.detail) ?? text(problem.title) ?? `The server answered ${response.status}`,
    text(problem.code) ?? text(problem.type),
    text(problem.requestId) ?? response.headers.get('x-request-id'),
  );
}
