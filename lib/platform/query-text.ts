import { z } from 'zod';

/** PostgreSQL has no text with U+0000 in it, nor with half a character. */
export function isStorableText(text: string): boolean {
  return !text.includes('\u0000') && text.isWellFormed();
}

/** Text of a query string: whatever it is compared with in the database, the database takes it. */
export const queryText = z.string().refine(isStorableText, {
  message: 'must not contain U+0000 or half characters',
});

/**
 * A day of the calendar, in UTC, within the years anything here can happen in: further out a day's neighbours have no
 * date, or none that PostgreSQL reads.
 */
export const queryDay = z
  .string()
  .regex(/^2[01]\d{2}-\d{2}-\d{2}$/, {
    message: 'must be a day of the years 2000 to 2199, such as 2026-03-02',
  })
  .refine((text) => !Number.isNaN(Date.parse(`${text}T00:00:00Z`)), { message: 'is no day of the calendar' });
