import { expect, test } from 'vitest';
import { diffDefinitions } from './diff-definitions.ts';

const tool = (changes: object = {}) => ({
  title: 'Read',
  description: 'Reads a note',
  inputSchema: { type: 'object', properties: { id: { type: 'string' } } },
  ...changes,
});

test('names a changed description with both texts', () => {
  expect(diffDefinitions(tool(), tool({ description: 'Reads all notes' }))).toEqual([
    { kind: 'changed', what: 'description', before: 'Reads a note', after: 'Reads all notes' },
  ]);
});

test('points into the schema where an argument came or went', () => {
  const wider = tool({ inputSchema: { type: 'object', properties: { 'a/b': { type: 'number' } } } });
  expect(diffDefinitions(tool(), wider)).toEqual([
    { kind: 'removed', what: 'inputSchema/properties/id/type', before: 'string', after: null },
    { kind: 'added', what: 'inputSchema/properties/a~1b/type', before: null, after: 'number' },
  ]);
});

test('says that something else differs when these parts are the same', () => {
  expect(diffDefinitions(tool(), tool()).map((line) => line.what)).toEqual(['hints or output schema']);
});
