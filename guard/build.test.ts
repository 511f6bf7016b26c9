import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const folder = mkdtempSync(path.join(tmpdir(), 'pack-'));
const project = path.join(folder, 'project');
const packaged = path.join(folder, 'package');
const run = (file: string, args: string[], cwd = project) =>
  execFileSync(file, args, { cwd, encoding: 'utf8' });

beforeAll(() => {
  run(process.execPath, [path.join(import.meta.dirname, 'build.mjs'), packaged], import.meta.dirname);
  const installed = path.join(project, 'node_modules/@countersign/guard');
  mkdirSync(installed, { recursive: true });
  cpSync(packaged, installed, { recursive: true });
  const root = path.resolve(import.meta.dirname, '../node_modules');
  for (const dependency of ['jose', 'eventsource-parser', '@cedar-policy'])
    symlinkSync(path.join(root, dependency), path.join(project, 'node_modules', dependency));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('the packed guard', () => {
  test('is JavaScript with declarations, without tests', () => {
    const files = readdirSync(packaged, { recursive: true, encoding: 'utf8' });
    expect(files).toContain('index.js');
    expect(files).toContain('decide/index.d.ts');
    expect(files.filter((file) => /\.test\.|^testing|(?<!\.d)\.ts$/.test(file))).toEqual([]);
  });

  test('imports from node_modules', () => {
    writeFileSync(
      path.join(project, 'use.mjs'),
      `import { startGuard } from '@countersign/guard';
       import { compilePolicies, decide } from '@countersign/guard/decide';
       import { parsePositions } from '@countersign/guard/protocol';
       const policies = compilePolicies('v', { all: 'permit (principal, action, resource);' });
       const agent = { id: 'a', state: 'active', owner: 'o', source: 's', clientClass: 'c', attended: true, dataClass: 'd' };
       const tool = { serverId: 's', name: 't', class: 'read', risk: 'low' };
       const { outcome } = decide(policies, 'invoke', { agent, tool, bound: true, at: new Date(), arguments: {} });
       console.log(typeof startGuard, outcome, parsePositions('a:1').length);`,
    );
    expect(run(process.execPath, ['use.mjs']).trim()).toBe('function permit 1');
  });

  test('runs as a program, and says what it lacks', () => {
    const bin = path.join(project, 'node_modules/@countersign/guard/bin.js');
    const start = (environment: Record<string, string>) => () =>
      execFileSync(process.execPath, [bin], { env: { ...process.env, ...environment }, stdio: 'pipe' });
    expect(start({})).toThrow('COUNTERSIGN_GUARD_STATE');
    expect(start({ COUNTERSIGN_GUARD_STATE: path.join(folder, 'state') })).toThrow('not enrolled yet');
  });
});
