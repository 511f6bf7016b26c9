/** Asks the palette in the header to open: for buttons elsewhere on the page. */
export const paletteEvent = 'countersign:palette';
export type PaletteMode = 'find' | 'stop';

export function openPalette(mode: PaletteMode): void {
  window.dispatchEvent(new CustomEvent<PaletteMode>(paletteEvent, { detail: mode }));
}
