import { describe, expect, test } from 'vitest';
import { checkSeparation, type Decider, describeConflict, type Involvement } from './separation.ts';

const at = (minutes: number) => new Date(Date.UTC(2026, 2, 2, 9, minutes));

const request: Involvement = {
  wroteSubject: 'olive',
  editedSubjects: ['olive', 'eva'],
  claimedSubjects: ['olive'],
  ownerSubject: 'olive',
  formerOwnerSubjects: ['oscar'],
  suspenderSubject: 'sam',
  submittedAt: at(10),
  votedSubjects: ['abel'],
};

const decider = (
  subject: string,
  grants: Decider['grants'] = [{ effectiveAt: at(0), givenBy: [] }],
): Decider => ({
  subject,
  grants,
});

describe('separation of duties', () => {
  test.each([
    ['olive', 'wrote'],
    ['eva', 'edited'],
    ['oscar', 'owned'],
    ['sam', 'suspended'],
    ['abel', 'voted'],
  ])('refuses %s: %s', (subject, tag) => {
    expect(checkSeparation(decider(subject), request)).toEqual({ ok: false, error: { tag } });
  });

  test('refuses who claimed and who owns, though they wrote nothing', () => {
    const filed = { ...request, wroteSubject: 'wim', editedSubjects: ['wim'] };
    expect(checkSeparation(decider('cleo'), { ...filed, claimedSubjects: ['cleo'] })).toMatchObject({
      error: { tag: 'claimed' },
    });
    expect(checkSeparation(decider('olive'), { ...filed, claimedSubjects: [] })).toMatchObject({
      error: { tag: 'owns' },
    });
  });

  test('lets somebody uninvolved decide', () => {
    expect(checkSeparation(decider('ava'), request)).toEqual({ ok: true, value: true });
  });

  test('refuses an approver whom the requester made one, or confirmed as one', () => {
    const grants = [
      {
        effectiveAt: at(0),
        givenBy: [
          { subject: 'adam', displayName: 'Adam' },
          { subject: 'olive', displayName: 'Olive' },
        ],
      },
    ];
    const result = checkSeparation(decider('ava', grants), request);
    expect(result).toEqual({ ok: false, error: { tag: 'granted by requester', name: 'Olive' } });
    if (!result.ok) expect(describeConflict(result.error)).toContain('Olive made you an approver');
  });

  test('refuses what was submitted before the role, and accepts what came at the same moment', () => {
    expect(checkSeparation(decider('ava', [{ effectiveAt: at(11), givenBy: [] }]), request)).toMatchObject({
      error: { tag: 'submitted before role' },
    });
    expect(checkSeparation(decider('ava', [{ effectiveAt: at(10), givenBy: [] }]), request).ok).toBe(true);
  });

  test('nobody without a grant decides', () => {
    expect(checkSeparation(decider('ava', []), request).ok).toBe(false);
  });
});
