import { queryOptions } from '@tanstack/react-query';
import { getJson } from '#components/console/fetch-json.ts';

type Instant = string;
export type GuardAnswer = {
  guardId: string;
  name: string;
  status: 'acknowledged' | 'asked' | 'unreachable' | 'revoked';
  acknowledgedAt: Instant | null;
  acknowledgedAfterMs: number | null;
  lastAcceptedAt: Instant | null;
  firstRefusedAt: Instant | null;
  firstRefusedAfterMs: number | null;
  lastSeenAt: Instant | null;
};
/** A receipt as `/api/v1/revocations/{id}` tells of it. */
export type ReceiptFacts = {
  id: string;
  effect: 'suspend' | 'revoke';
  target: { kind: string; id: string; name: string };
  cause: string;
  reason: string;
  actorName: string;
  requestedAt: Instant;
  committedAt: Instant;
  sweptAt: Instant | null;
  closedAt: Instant | null;
  cascade: {
    tokens: number;
    families: number;
    familiesKept: boolean;
    instances: number;
    waitingBrowsers: number;
    bindings: number;
    requests: number;
    resourceTokens?: number;
  };
  guards: GuardAnswer[];
};

/** What a page reads, with instants as text, equal to what the API answers. */
export function toReceiptFacts(receipt: object): ReceiptFacts {
  const { blastRadius: _separately, ...facts } = JSON.parse(JSON.stringify(receipt));
  return facts;
}

/** While guards are still asked, and while refusals may come in, it is read again this often. */
const openEveryMs = 1_000;

export function receiptQuery(initialData: ReceiptFacts) {
  return queryOptions({
    queryKey: ['revocations', 'receipt', initialData.id],
    queryFn: ({ signal }) =>
      getJson<ReceiptFacts>(`/api/v1/revocations/${encodeURIComponent(initialData.id)}`, signal),
    initialData,
    refetchInterval: (query) => (query.state.data?.closedAt ? false : openEveryMs),
  });
}
