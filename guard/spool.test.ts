import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { followsRecord, recordDigest } from './gate-side.ts';
import type { ReportRecord } from './protocol.ts';
import { type RecordFacts, Spool, SpoolFull } from './spool.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'spool-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const facts = (detail = 'x'): RecordFacts => ({ kind: 'condition', condition: 'started', atMs: 1, detail });

function requireChain(records: readonly ReportRecord[], last: ReportRecord | null = null): void {
  let before = last;
  for (const record of records) {
    expect(followsRecord(record, before && { number: before.number, digest: recordDigest(before) })).toBe(
      true,
    );
    before = record;
  }
}

describe('spool', () => {
  test('numbers and chains what it is given, over a restart too', async () => {
    const first = new Spool({ folder });
    first.append(facts('a'));
    await first.appendDurably(facts('b'));
    first.close();
    const second = new Spool({ folder });
    second.append(facts('c'));
    const records = second.unaccepted(100);
    expect(records.map(({ number }) => number)).toEqual([1, 2, 3]);
    requireChain(records);
    second.close();
  });

  test('what was to be durable is in the file when it returns', async () => {
    const spool = new Spool({ folder });
    await Promise.all(Array.from({ length: 50 }, (_, index) => spool.appendDurably(facts(`call ${index}`))));
    const [file = ''] = readdirSync(folder);
    expect(readFileSync(path.join(folder, file), 'utf8').split('\n').filter(Boolean)).toHaveLength(50);
    spool.close();
  });

  test('a last line cut by a crash goes, and the chain continues before it', () => {
    const spool = new Spool({ folder });
    spool.append(facts('a'));
    spool.close();
    const [file = ''] = readdirSync(folder);
    appendFileSync(path.join(folder, file), '{"kind":"condition","numb');
    const again = new Spool({ folder });
    again.append(facts('b'));
    requireChain(again.unaccepted(10));
    expect(again.lastNumber).toBe(2);
    again.close();
  });

  test('what the gate has is given up, but never the end of the chain', () => {
    const spool = new Spool({ folder, segmentBytes: 300 });
    for (let index = 0; index < 20; index++) {
      spool.append(facts(`record ${index}`));
      spool.unaccepted(1);
    }
    const [last] = spool.unaccepted(100).slice(-1);
    spool.accept(20);
    expect(spool.backlog).toBe(0);
    expect(readdirSync(folder)).toHaveLength(1);
    spool.close();
    const again = new Spool({ folder, segmentBytes: 300 });
    again.accept(20);
    again.append(facts('next'));
    requireChain(again.unaccepted(10), last ?? null);
    again.close();
  });

  test('full, it refuses, and takes records again when there is room', () => {
    const spool = new Spool({ folder, maxBytes: 2_000, segmentBytes: 400 });
    const fill = () => {
      for (;;) {
        spool.append(facts('y'.repeat(50)));
        spool.unaccepted(1);
      }
    };
    expect(fill).toThrow(SpoolFull);
    expect(() => spool.append(facts())).toThrow(SpoolFull);
    spool.accept(spool.lastNumber);
    spool.append(facts());
    expect(spool.unaccepted(100).map(({ number }) => number)).toEqual([spool.lastNumber]);
    spool.close();
  });

  test('keeps any text a client may send, made fit for a database', () => {
    const spool = new Spool({ folder });
    const unit = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom('\ud800', '\udc00', '\0', '\n', '\u2028', '"'),
    );
    fc.assert(
      fc.property(fc.array(unit, { maxLength: 20, size: 'max' }), (parts) => {
        const detail = parts.join('');
        spool.append(facts(detail));
        const [record] = spool.unaccepted(1);
        expect(record).toMatchObject({ detail: detail.toWellFormed().replaceAll('\0', '\ufffd') });
        spool.accept(record?.number ?? 0);
      }),
    );
    const last = spool.lastNumber;
    spool.close();
    const again = new Spool({ folder });
    expect(again.unaccepted(1_000).map(({ number }) => number)).toEqual(
      Array.from({ length: last }, (_, at) => at + 1),
    );
    requireChain(again.unaccepted(1_000));
    again.close();
  });
});
