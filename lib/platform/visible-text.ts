/**
 * How to show text written by a party we do not trust so that a reader sees what is there. On its own, because every
 * page needs it and none needs the tables of look-alikes.
 */

/** A stretch of text, or one hidden character by its code point, so that a screen can set it apart. */
export type VisibleSegment = { kind: 'text'; text: string } | { kind: 'hidden'; text: string; name: string };

/**
 * Characters that show nothing, move what follows, or pass for an ordinary space: controls, format characters
 * (bidirectional overrides, zero-width joiners, tags), private use, unassigned, surrogates, separators other than
 * the plain space, fillers, variation selectors and the braille blank.
 */
export const HIDDEN =
  /[\p{Cc}\p{Cf}\p{Co}\p{Cn}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]|(?! )\p{Zs}/u;
const EMOJI_PRESENTATION = '\ufe0f';

const HIDDEN_NAMES: { readonly [codePoint: string]: string } = {
  '0': 'null',
  '9': 'tab',
  a: 'line feed',
  d: 'carriage return',
  '1b': 'escape',
  a0: 'no-break space',
  ad: 'soft hyphen',
  '200b': 'zero width space',
  '200c': 'zero width non-joiner',
  '200d': 'zero width joiner',
  '200e': 'left-to-right mark',
  '200f': 'right-to-left mark',
  '2028': 'line separator',
  '2029': 'paragraph separator',
  '202a': 'left-to-right embedding',
  '202b': 'right-to-left embedding',
  '202c': 'pop directional formatting',
  '202d': 'left-to-right override',
  '202e': 'right-to-left override',
  '2060': 'word joiner',
  '2066': 'left-to-right isolate',
  '2067': 'right-to-left isolate',
  '2068': 'first strong isolate',
  '2069': 'pop directional isolate',
  '3000': 'ideographic space',
  '3164': 'hangul filler',
  feff: 'zero width no-break space',
};

/**
 * Splits text into what can be shown as it is and hidden characters named by code point.
 * `multiline` leaves line feeds and tabs alone. An emoji keeps the selector that makes it colourful.
 */
export function toVisibleSegments(text: string, options: { multiline?: boolean } = {}): VisibleSegment[] {
  const segments: VisibleSegment[] = [];
  let run = '';
  let previous = '';
  for (const character of text) {
    const kept =
      !HIDDEN.test(character) ||
      (options.multiline === true && (character === '\n' || character === '\t')) ||
      (character === EMOJI_PRESENTATION && /\p{Extended_Pictographic}/u.test(previous));
    previous = character;
    if (kept) {
      run += character;
      continue;
    }
    if (run !== '') segments.push({ kind: 'text', text: run });
    run = '';
    const hex = (character.codePointAt(0) ?? 0).toString(16);
    segments.push({
      kind: 'hidden',
      text: `U+${hex.toUpperCase().padStart(4, '0')}`,
      name: (Object.hasOwn(HIDDEN_NAMES, hex) && HIDDEN_NAMES[hex]) || 'hidden character',
    });
  }
  if (run !== '') segments.push({ kind: 'text', text: run });
  return segments;
}
