'use client';

import { useEffect, useState } from 'react';
import { flushSync } from 'react-dom';
import { formatUtc } from './time.ts';

/** Where and when a page was printed, at its end; on screen it is not there. */
export function PrintStamp() {
  const [printed, setPrinted] = useState({ address: '', at: '' });
  useEffect(() => {
    // The page is printed as it stands when this returns.
    const stamp = () =>
      flushSync(() => setPrinted({ address: window.location.href, at: formatUtc(new Date()) }));
    window.addEventListener('beforeprint', stamp);
    return () => window.removeEventListener('beforeprint', stamp);
  }, []);
  return (
    <p className="print-only mt-4 hidden text-fg-2 text-xs">
      <span className="wrap-anywhere">{printed.address}</span>
      <br />
      printed {printed.at}
    </p>
  );
}
