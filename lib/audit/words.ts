/** Longest word kept, in characters: PostgreSQL takes no lexeme above 2,046 bytes. */
const maxWordLength = 200;

/**
 * The words of a text: runs of letters and digits, in lower case. What is searched for and what is found are split by
 * this one rule, so neither passes PostgreSQL's text parser, which would cut an id at what looks like a number in it.
 */
export function splitWords(text: string): string[] {
  const words: string[] = [];
  for (const [word] of text.toLowerCase().matchAll(/[\p{L}\p{N}]+/gu))
    words.push(word.slice(0, maxWordLength));
  return words;
}
