export type Theme = 'system' | 'light' | 'dark';

/** Name of the cookie that remembers the chosen theme. The server reads it, so the first paint is right. */
export const THEME_COOKIE = 'theme';

/** The theme a cookie value stands for; anything unknown follows the system. */
export function parseTheme(value: string | undefined): Theme {
  return value === 'light' || value === 'dark' ? value : 'system';
}

const YEAR_SECONDS = 31_536_000;

/** Shows a theme at once and remembers it. Runs in the browser. */
export function applyTheme(theme: Theme): void {
  const secure = location.protocol === 'https:' ? '; Secure' : '';
  // biome-ignore lint/suspicious/noDocumentCookie: the Cookie Store API is absent in Safari and on plain http
  document.cookie = `${THEME_COOKIE}=${theme}; Path=/; Max-Age=${YEAR_SECONDS}; SameSite=Lax${secure}`;
  if (theme === 'system') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
}
