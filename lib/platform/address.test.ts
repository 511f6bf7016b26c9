import { describe, expect, test } from 'vitest';
import {
  clientAddress,
  isInRanges,
  normalizeAddress,
  parseRanges,
  privateRanges,
  sourcePrefix,
} from './address.ts';

const none = parseRanges([]);
const proxies = parseRanges(['10.0.0.1', '10.1.0.0/16', 'fd00::/8']);

describe('the client address', () => {
  const rows: [name: string, peer: string, header: string | string[] | undefined, expected: string | null][] =
    [
      ['no header', '10.0.0.1', undefined, '10.0.0.1'],
      ['an untrusted peer is the client, whatever it says', '203.0.113.9', '127.0.0.1', '203.0.113.9'],
      ['a trusted proxy is believed for one hop', '10.0.0.1', '203.0.113.9', '203.0.113.9'],
      ['the right-most untrusted hop counts', '10.0.0.1', '127.0.0.1, 203.0.113.9', '203.0.113.9'],
      ['trusted hops are walked over', '10.0.0.1', '1.2.3.4, 203.0.113.9, 10.1.2.3', '203.0.113.9'],
      ['all hops trusted: the left-most', '10.0.0.1', '10.1.0.7, 10.1.2.3', '10.1.0.7'],
      ['several headers are one list', '10.0.0.1', ['9.9.9.9', '203.0.113.9'], '203.0.113.9'],
      ['junk ends the walk', '10.0.0.1', '203.0.113.9, evil', '10.0.0.1'],
      ['an empty header', '10.0.0.1', '', '10.0.0.1'],
      ['an empty element', '10.0.0.1', '203.0.113.9,', '10.0.0.1'],
      ['a port is no address', '10.0.0.1', '203.0.113.9:80', '10.0.0.1'],
      ['brackets are no address', '10.0.0.1', '[2001:db8::1]', '10.0.0.1'],
      ['hexadecimal spelling', '10.0.0.1', '0x7f000001', '10.0.0.1'],
      ['octal spelling', '10.0.0.1', '0177.0.0.1', '10.0.0.1'],
      ['short spelling', '10.0.0.1', '127.1', '10.0.0.1'],
      ['one number', '10.0.0.1', '2130706433', '10.0.0.1'],
      ['mapped peer', '::ffff:10.0.0.1', '203.0.113.9', '203.0.113.9'],
      ['mapped hop', '10.0.0.1', '::ffff:203.0.113.9', '203.0.113.9'],
      ['IPv6 hop', '10.0.0.1', '2001:DB8::1', '2001:db8::1'],
      ['IPv6 proxy', 'fd00::5', '2001:db8::1', '2001:db8::1'],
      ['unknown', '10.0.0.1', 'unknown', '10.0.0.1'],
      ['obfuscated', '10.0.0.1', '_hidden', '10.0.0.1'],
      ['a key of Forwarded', '10.0.0.1', 'for=127.0.0.1', '10.0.0.1'],
      ['a control character', '10.0.0.1', '127.0.0.1\u0000', '10.0.0.1'],
      ['a thousand hops', '10.0.0.1', Array(1000).fill('10.1.0.1').join(','), '10.1.0.1'],
    ];
  test.each(rows)('%s', (_name, peer, header, expected) => {
    expect(clientAddress(peer, header, proxies)).toBe(expected);
  });
  test.each(rows)('without configured proxies the socket decides: %s', (_name, peer, header) => {
    expect(clientAddress(peer, header, none)).toBe(normalizeAddress(peer));
  });
});

test('ranges hold addresses of their own family only', () => {
  expect(isInRanges('192.168.3.4', privateRanges)).toBe(true);
  expect(isInRanges('::ffff:192.168.3.4', privateRanges)).toBe(true);
  expect(isInRanges('fe80::1%eth0', privateRanges)).toBe(true);
  expect(isInRanges('8.8.8.8', privateRanges)).toBe(false);
  expect(isInRanges('nonsense', privateRanges)).toBe(false);
});

test('a wrong range is named', () => {
  expect(() => parseRanges(['10.0.0.0/8', '10.0.0.0/99'])).toThrow(/10\.0\.0\.0\/99/);
});

test('sources are counted by network', () => {
  expect(sourcePrefix('203.0.113.77')).toBe('203.0.113.0/24');
  expect(sourcePrefix('2001:db8:1:2::9')).toBe('2001:db8:1::/48');
  expect(sourcePrefix(null)).toBe('unknown');
});
