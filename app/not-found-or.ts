import 'server-only';
import { notFound } from 'next/navigation';
import { DomainError } from '#lib/platform/errors.ts';

/** What a page reads, or its not-found page: the same for what does not exist and what this person may not see. */
export async function notFoundOr<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof DomainError && error.code === 'not_found') notFound();
    throw error;
  }
}
