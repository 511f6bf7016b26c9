import type { EvidenceValue } from './fact.ts';

/** A fact as a reviewer reads it: a label, the value as one line, and whether the value is somebody else's words. */
export type DescribedFact = { label: string; text: string; untrusted: boolean; warning: string | null };

const labels: Record<string, string> = {
  source: 'Came through',
  'registered from': 'Registered from',
  'opened from': 'Sign-in opened from',
  'claimed from': 'Claimed from',
  device: 'Device asks from',
  'network agreement': 'Addresses',
  'metadata document': 'Published by',
  redirect: 'Sends the code to',
  'client name': 'Calls itself',
  'name resemblance': 'Resembles',
  'name text': 'Name contains',
  software: 'Software id',
  'client page': 'Home page',
  'user agent': 'User agent',
  key: 'Key',
  'other owner': 'Other owners',
  'earlier refusal': 'Decided against before',
  'contents changed': 'Contents changed',
};

/** The words for a stored fact. Works on rows of any age: an unknown kind shows its raw value. */
export function describeFact(fact: { kind: string; status: string; value: unknown }): DescribedFact {
  const value = (fact.value ?? {}) as EvidenceValue;
  const text = (name: string) => {
    const held = value[name];
    if (!Array.isArray(held)) return held === undefined ? '' : String(held);
    // The same address each time is said once.
    return [...new Set(held)].join(', ');
  };
  const label = labels[fact.kind] ?? fact.kind;
  const plain = (shown: string, untrusted = false, warning: string | null = null): DescribedFact => ({
    label,
    text: shown,
    untrusted,
    warning,
  });
  switch (fact.kind) {
    case 'source':
      return plain(text('name'));
    case 'registered from':
    case 'opened from':
    case 'claimed from':
    case 'device':
      return plain(`${text('address')} (${text('network')})`);
    case 'network agreement':
      return plain(
        fact.status === 'contradicted' ? `Differ: ${text('addresses')}` : `Agree: ${text('addresses')}`,
        false,
        fact.status === 'contradicted' ? 'Ask the owner whether they started this sign-in themselves.' : null,
      );
    case 'metadata document': {
      const elsewhere = text('redirectsElsewhere');
      return plain(
        text('host'),
        false,
        elsewhere ? `The document sends codes to another host: ${elsewhere}.` : null,
      );
    }
    case 'redirect':
      return plain(
        text('uri'),
        true,
        text('place') === 'website' ? null : 'Any program on the same computer can receive this code.',
      );
    case 'client name':
      return plain(text('name'), true);
    case 'name resemblance':
      return plain(text('vendor'), false, fact.status === 'contradicted' ? 'Likely meant to deceive.' : null);
    case 'name text':
      return plain(text('findings'));
    case 'software':
      return plain([text('softwareId'), text('softwareVersion')].filter(Boolean).join(' '), true);
    case 'client page':
      return plain(text('url'), true);
    case 'user agent':
      return plain(text('value'), true);
    case 'key':
      return plain(text('thumbprint'));
    case 'other owner':
      return plain('Somebody else holds this client too');
    case 'earlier refusal':
      return plain([text('request'), text('state'), text('reason')].filter(Boolean).join(' · '), true);
    case 'contents changed':
      return plain(text('fields'));
    default:
      return plain(JSON.stringify(value), true);
  }
}
