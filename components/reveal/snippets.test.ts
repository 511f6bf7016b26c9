import { execFileSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { snippetsFor } from './snippets.ts';

const hostile = [
  '"; rm -rf / #',
  '$(touch x)',
  '`id`',
  "o'clock",
  '日本',
  '--header',
  '\n\nx',
  'a'.repeat(500),
];

describe('snippets', () => {
  test.each(hostile)('a server named %j reaches a shell as one plain word (T93)', (serverName) => {
    const facts = { serverName, resource: "http://127.0.0.1:1/it's/mcp?a=$(id)", token: 'a.b-c_d' };
    for (const { value, code } of snippetsFor(facts)) {
      if (value !== 'claude-code' && value !== 'curl') continue;
      // The shell itself says what words it reads.
      const words = execFileSync('sh', ['-c', `${code.replace(/^(claude|curl)/, "printf '%s\\0'")}`], {
        encoding: 'utf8',
      }).split('\0');
      expect(words).toContain(facts.resource);
      expect(words).toContain(`Authorization: Bearer ${facts.token}`);
      if (value === 'claude-code') {
        expect(words.slice(0, 4)).toEqual(['mcp', 'add', '--transport', 'http']);
        expect(words[4]).toMatch(/^[a-z0-9][a-z0-9-]{0,39}$/);
      }
    }
  });

  test('configuration files are JSON with the resource to the byte', () => {
    const facts = { serverName: 'Notes', resource: 'http://127.0.0.1:4100/mcp', token: 't' };
    const byValue = Object.fromEntries(snippetsFor(facts).map(({ value, code }) => [value, code]));
    expect(JSON.parse(byValue.cursor as string)).toEqual({
      mcpServers: { notes: { url: facts.resource, headers: { Authorization: 'Bearer t' } } },
    });
    expect(JSON.parse(byValue['vs-code'] as string).servers.notes.url).toBe(facts.resource);
  });
});
