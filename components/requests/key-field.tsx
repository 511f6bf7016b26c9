'use client';

import { Download, KeyRound } from 'lucide-react';
import { useState } from 'react';
import { Button } from '#components/ui/button.tsx';
import { Callout } from '#components/ui/callout.tsx';
import { Field } from '#components/ui/field.tsx';
import { RadioGroup } from '#components/ui/radio-group.tsx';
import { Textarea } from '#components/ui/textarea.tsx';

/** A public key set as text, as the form sends it; empty while there is none. */
export type KeyDraft = { way: 'make' | 'paste'; text: string; madeThumb: string };

export const emptyKey: KeyDraft = { way: 'make', text: '', madeThumb: '' };

/**
 * Binds a key to a headless agent. Made here, the pair is born in this browser: the private half is saved as a file
 * and never sent anywhere; pasted, only a public key set is accepted.
 */
export function KeyField({
  value,
  onChange,
  fileName,
  error,
}: {
  value: KeyDraft;
  onChange: (value: KeyDraft) => void;
  /** What the private key's file is called, without extension. */
  fileName: string;
  error?: string | null;
}) {
  const [failed, setFailed] = useState<string | null>(null);
  const [pending, setPending] = useState(false);

  async function make() {
    setPending(true);
    setFailed(null);
    try {
      const { publicJwk, privateJwk } = await makeKeyPair();
      save(`${fileName || 'agent'}.private.jwk.json`, JSON.stringify(privateJwk, null, 2));
      onChange({
        way: 'make',
        text: JSON.stringify({ keys: [publicJwk] }, null, 2),
        madeThumb: String(publicJwk.kid ?? ''),
      });
    } catch {
      setFailed(
        'This browser cannot make a key here. Make one with your own tools and paste its public half.',
      );
    } finally {
      setPending(false);
    }
  }

  return (
    <div className="grid gap-3">
      <RadioGroup
        layout="inline"
        aria-label="Where the key comes from"
        options={[
          { value: 'make', label: 'Make a key pair here' },
          { value: 'paste', label: 'Paste a public key set' },
        ]}
        value={value.way}
        onValueChange={(way) => onChange({ way, text: '', madeThumb: '' })}
      />
      {value.way === 'make' ? (
        <div className="grid gap-2">
          {value.text === '' ? (
            <>
              <p className="max-w-[72ch] text-fg-2 text-sm">
                The pair is made in this browser. The private key is saved as a file on this computer and goes
                nowhere else: give it to the agent, then delete the file.
              </p>
              <div>
                <Button
                  id="field-client-jwks"
                  icon={<KeyRound aria-hidden />}
                  pending={pending}
                  onClick={make}
                >
                  Make key and save private half
                </Button>
              </div>
            </>
          ) : (
            <Callout
              tone="success"
              title="Key made; its private half was saved as a file"
              announce
              actions={
                <Button size="sm" icon={<Download aria-hidden />} pending={pending} onClick={make}>
                  Make another
                </Button>
              }
            >
              Lost the file? Make another. Key id <code className="break-all text-xs">{value.madeThumb}</code>
            </Callout>
          )}
          {(failed ?? error) && (
            <p role="alert" className="text-danger text-xs">
              {failed ?? error}
            </p>
          )}
        </div>
      ) : (
        <Field
          name="client.jwks"
          label="Public key set (JWKS)"
          required
          error={error}
          hint="Ed25519, P-256 or RSA from 2048 bits. A private or shared key is refused."
        >
          <Textarea
            mono
            rows={6}
            value={value.text}
            placeholder={'{ "keys": [ { "kty": "OKP", "crv": "Ed25519", "x": "…" } ] }'}
            onChange={(event) => onChange({ ...value, text: event.target.value })}
          />
        </Field>
      )}
    </div>
  );
}

/** The key set of a draft: a set as it is, a single public key as a set of one; null when it is not JSON. */
export function parseKeySet(text: string): { keys: Record<string, unknown>[] } | null {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null) return null;
    if ('keys' in value && Array.isArray(value.keys)) return { keys: value.keys };
    return 'kty' in value ? { keys: [value as Record<string, unknown>] } : null;
  } catch {
    return null;
  }
}

type Jwk = JsonWebKey & { kid?: string };

/** Ed25519 where the browser has it, else P-256. */
async function makeKeyPair(): Promise<{ publicJwk: Jwk; privateJwk: Jwk }> {
  const usages: KeyUsage[] = ['sign', 'verify'];
  const pair = await crypto.subtle
    .generateKey('Ed25519', true, usages)
    .catch(() => crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, usages));
  if (!('privateKey' in pair)) throw new TypeError('no key pair');
  const [open, secret] = await Promise.all([
    crypto.subtle.exportKey('jwk', pair.publicKey),
    crypto.subtle.exportKey('jwk', pair.privateKey),
  ]);
  const alg = open.kty === 'OKP' ? 'EdDSA' : 'ES256';
  const kid = await thumbprint(open);
  const { kty, crv, x, y } = open;
  const shared = { kty, crv, x, ...(y ? { y } : {}), kid, alg, use: 'sig' };
  return { publicJwk: shared, privateJwk: { ...shared, d: secret.d } };
}

/** RFC 7638: members in order, nothing else. */
async function thumbprint({ crv, kty, x, y }: JsonWebKey): Promise<string> {
  const text = JSON.stringify(y ? { crv, kty, x, y } : { crv, kty, x });
  const hash = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text));
  return btoa(String.fromCharCode(...new Uint8Array(hash)))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '');
}

function save(name: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: 'application/json' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
