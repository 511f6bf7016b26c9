/**
 * A run of letters and digits, at most 200 of them: PostgreSQL takes no lexeme above 2,046 bytes. Counted by code point,
 * so that no character is ever cut in half, which PostgreSQL would refuse together with the event.
 */
const word = /[\p{L}\p{N}]{1,200}/gu;

/**
 * The words of a text, in lower case. What is searched for and what is found are split by this one rule, so neither
 * passes PostgreSQL's text parser, which would cut an id at what looks like a number in it.
 */
export function splitWords(text: string): string[] {
  return text.toLowerCase().match(word) ?? [];
}

/** An id of ours as a whole. */
export const idPattern = /^[a-z]{2,6}_[0-9a-f]{32}$/;
