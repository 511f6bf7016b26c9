import { UntrustedText } from '#components/console/untrusted-text.tsx';
import { Table, TableCell, TableHeader, TableRow } from '#components/ui/table.tsx';
import { describeConstraint, describeSeconds } from '#lib/approvals/diff.ts';
import type { Review } from '#lib/approvals/views.ts';
import type { Narrowing } from './narrowing.ts';

/** The two sides of an approval: every tool and the time, asked and granted. */
export function AskedBesideGranted({
  review,
  kept,
  limits,
  seconds,
}: {
  review: Review;
  kept: readonly string[];
  limits: Narrowing['limits'];
  seconds: number;
}) {
  return (
    <Table label="Asked and granted" className="min-w-0">
      <thead>
        <tr>
          <TableHeader>Asked</TableHeader>
          <TableHeader>Granted</TableHeader>
        </tr>
      </thead>
      <tbody>
        {review.toolLines.map((tool) => {
          const stays = kept.includes(tool.toolId);
          const added = limits[tool.toolId] ?? [];
          return (
            <TableRow key={tool.toolId}>
              <TableCell>
                <span className="break-all font-mono text-xs">
                  <UntrustedText text={tool.name} />
                </span>
                <span className="ml-2 text-fg-3 text-xs">{tool.class}</span>
              </TableCell>
              <TableCell>
                {stays ? (
                  <span className="break-all font-mono text-xs">
                    <UntrustedText text={tool.name} />
                    {added.map((limit) => (
                      <span key={describeConstraint(limit)} className="block font-sans text-success">
                        only where <UntrustedText text={describeConstraint(limit)} />
                      </span>
                    ))}
                  </span>
                ) : (
                  <span className="text-danger text-xs">
                    <s className="break-all font-mono">{tool.name}</s> left out
                  </span>
                )}
              </TableCell>
            </TableRow>
          );
        })}
        <TableRow>
          <TableCell>{describeSeconds(review.lifetimeSeconds)}</TableCell>
          <TableCell>
            <span className={seconds < review.lifetimeSeconds ? 'font-medium' : undefined}>
              {describeSeconds(seconds)}
            </span>
          </TableCell>
        </TableRow>
      </tbody>
    </Table>
  );
}
