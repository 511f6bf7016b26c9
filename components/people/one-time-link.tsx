import { RelativeTime } from '#components/console/relative-time.tsx';
import { Callout } from '#components/ui/callout.tsx';
import { CodeBlock } from '#components/ui/code-block.tsx';

/** A link that is shown once: only its digest is kept, so nobody can show it again. */
export function OneTimeLink({ url, expiresAt, whom }: { url: string; expiresAt: string; whom: string }) {
  return (
    <div className="grid gap-3">
      <Callout tone="success" announce title="The link is ready">
        Pass it to {whom} yourself, over a way you trust. It works once, ends <RelativeTime at={expiresAt} />,
        and is not shown again.
      </Callout>
      <CodeBlock code={url} label="One-time link" wrap />
    </div>
  );
}
