import { expect, test } from 'vitest';
import { idOnPage, keepRecent, readRecent, rememberRecent } from './recent.ts';

function memory(initial?: string) {
  const values = new Map<string, string>(initial ? [['countersign.recent', initial]] : []);
  return {
    getItem: (key: string) => values.get(key) ?? null,
    setItem: (key: string, value: string) => void values.set(key, value),
    removeItem: (key: string) => void values.delete(key),
  };
}
const agent = (digit: string) => `agt_${digit.repeat(32)}`;

test('the newest comes first, once, and eight are kept', () => {
  const store = memory();
  for (const digit of '0123456789') rememberRecent(store, 'olive', agent(digit));
  rememberRecent(store, 'olive', agent('5'));
  expect(readRecent(store, 'olive')).toEqual(['5', '9', '8', '7', '6', '4', '3', '2'].map(agent));
});

test('nothing but ids is kept', () => {
  const store = memory();
  rememberRecent(store, 'olive', agent('1'));
  expect(JSON.parse(store.getItem('countersign.recent') as string)).toEqual({
    person: 'olive',
    ids: [agent('1')],
  });
});

test('what cannot be seen any more is forgotten, and so is everything of whoever sat here before', () => {
  const store = memory();
  rememberRecent(store, 'olive', agent('1'));
  rememberRecent(store, 'olive', agent('2'));
  keepRecent(store, 'olive', [agent('1')]);
  expect(readRecent(store, 'olive')).toEqual([agent('1')]);
  expect(readRecent(store, 'oscar')).toEqual([]);
  expect(store.getItem('countersign.recent')).toBeNull();
});

test.each(['null', '{', '[]', '{"person":"olive","ids":[1]}', '"x"'])(
  '%s in the store is nothing',
  (text) => {
    expect(readRecent(memory(text), 'olive')).toEqual([]);
  },
);

test('a browser that keeps nothing breaks nothing', () => {
  const closed = () => {
    throw new Error('denied');
  };
  const store = { getItem: closed, setItem: closed, removeItem: closed };
  rememberRecent(store, 'olive', agent('1'));
  expect(readRecent(store, 'olive')).toEqual([]);
});

test.each([
  [`/agents/${agent('a')}`, agent('a')],
  [`/agents/${agent('a')}/reveal`, agent('a')],
  [`/review/req_${'1'.repeat(32)}`, `req_${'1'.repeat(32)}`],
  ['/clients/https%3A%2F%2Fapp.example.test%2Fclient.json', 'https://app.example.test/client.json'],
  ['/requests/new', null],
  ['/people/groups', null],
  ['/agents', null],
  ['/', null],
])('%s is about %s', (pathname, id) => {
  expect(idOnPage(pathname)).toBe(id);
});
