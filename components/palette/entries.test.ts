import { expect, test } from 'vitest';
import type { Viewer } from '#components/console/viewer.ts';
import type { Found } from '#lib/search/search.ts';
import { arrange, foundHref, isNamed } from './entries.ts';

const viewer = (...roles: Viewer['roles']): Viewer => ({
  personId: 'per_x',
  displayName: 'Olive',
  email: 'olive@example.test',
  roles,
  environment: null,
  badges: {},
});
const found = (kind: Found['kind'], id: string, more: Partial<Found> = {}): Found => ({
  kind,
  id,
  label: id,
  detail: '',
  state: null,
  parentId: null,
  ...more,
});
const titles = (groups: { title: string }[]) => groups.map(({ title }) => title);

test('the page’s own actions come first, then things, places and settings', () => {
  const groups = arrange({
    text: 's',
    actions: [{ label: 'Suspend…' }, { label: 'Revoke…' }],
    found: [found('server', 'srv_1'), found('agent', 'agt_1')],
    viewer: viewer('owner'),
    stopping: false,
  });
  expect(titles(groups)).toEqual(['On this page', 'Agents', 'Servers', 'Go to', 'Settings']);
  expect(groups[0]?.entries.map(({ label }) => label)).toEqual(['Suspend…']);
});

test('without a text, what was seen last keeps its own order', () => {
  const [recent] = arrange({
    text: '',
    actions: [],
    found: [found('agent', 'agt_1'), found('server', 'srv_1')],
    viewer: viewer('owner'),
    stopping: false,
  });
  expect(recent?.title).toBe('Seen last');
});

test('a place the roles cannot use is not offered', () => {
  const labels = (roles: Viewer['roles']) =>
    arrange({ text: '', actions: [], found: [], viewer: viewer(...roles), stopping: false })
      .flatMap(({ entries }) => entries)
      .map(({ label }) => label);
  expect(labels(['owner'])).not.toContain('People');
  expect(labels(['owner'])).toContain('Request an agent');
  expect(labels(['auditor'])).toContain('People');
  expect(labels(['auditor'])).not.toContain('Request an agent');
});

test('to stop an agent, agents are all there is to choose, and choosing one asks first', () => {
  const groups = arrange({
    text: 'a',
    actions: [{ label: 'Anything' }],
    found: [found('agent', 'agt_1')],
    viewer: viewer('admin'),
    stopping: true,
  });
  expect(groups).toEqual([
    { title: 'Agents', entries: [expect.objectContaining({ href: '/agents/agt_1?stop=suspend' })] },
  ]);
});

test.each([
  [found('agent', 'agt_1'), '/agents/agt_1'],
  [found('client', 'https://a.test/c.json?x=1#y'), '/clients/https%3A%2F%2Fa.test%2Fc.json%3Fx%3D1%23y'],
  [found('request', 'req_1', { state: 'submitted' }), '/review/req_1'],
  [found('request', 'req_1', { state: 'approved' }), '/requests/req_1'],
  [found('tool', 'tl_1', { parentId: 'srv_1' }), '/servers/srv_1?tool=tl_1'],
  [found('event', 'evt_1'), '/audit/evt_1'],
])('%o opens %s', (thing, href) => {
  expect(foundHref(thing, ['approver'])).toBe(href);
});

test('words are matched from their beginnings', () => {
  expect(isNamed('Servers & tools', 'to ser')).toBe(true);
  expect(isNamed('Servers & tools', 'ools')).toBe(false);
  expect(isNamed('Anything', '')).toBe(true);
});
