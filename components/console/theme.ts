export type Theme = 'system' | 'light' | 'dark';

/** Name of the cookie that remembers the chosen theme. The server reads it, so the first paint is right. */
export const THEME_COOKIE = 'theme';

/** The theme a cookie value stands for; anything unknown follows the system. */
export function parseTheme(value: string | undefined): Theme {
  return value === 'light' || value === 'dark' ? value : 'system';
}
