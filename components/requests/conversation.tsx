'use client';

import { useState } from 'react';
import type { z } from 'zod';
import type { Action } from '#components/console/action.ts';
import { ActionProblemNote } from '#components/console/action-problem.tsx';
import { RelativeTime } from '#components/console/relative-time.tsx';
import { UntrustedText } from '#components/console/untrusted-text.tsx';
import { useAction } from '#components/console/use-action.ts';
import { Avatar } from '#components/ui/avatar.tsx';
import { Button } from '#components/ui/button.tsx';
import { Field } from '#components/ui/field.tsx';
import { Kbd } from '#components/ui/kbd.tsx';
import { Textarea } from '#components/ui/textarea.tsx';
import type { commentRequestInput } from '#lib/approvals/comment-request.ts';
import type { RequestDetail } from '#lib/approvals/views.ts';

export type CommentAction = Action<z.input<typeof commentRequestInput>, { id: string }>;

/** What people said about a request, and a place to say something. */
export function Conversation({
  requestId,
  comments,
  canComment,
  comment,
}: {
  requestId: string;
  comments: RequestDetail['comments'];
  canComment: boolean;
  comment: CommentAction;
}) {
  const [text, setText] = useState('');
  const sending = useAction(comment);
  const send = () => {
    if (text.trim() === '') return;
    sending.run({ requestId, text }, () => setText(''));
  };
  return (
    <div className="grid gap-4">
      {comments.length === 0 && !canComment && <p className="text-fg-3 text-sm">Nobody has said anything.</p>}
      {comments.length > 0 && (
        <ol aria-label="Comments" className="grid gap-4">
          {comments.map((each) => (
            <li key={each.id} className="grid grid-cols-[1.75rem_minmax(0,1fr)] gap-x-2.5">
              <Avatar name={each.author.displayName} size="sm" />
              <div className="min-w-0">
                <div className="flex flex-wrap items-baseline gap-x-2">
                  <span className="font-medium text-sm">{each.author.displayName}</span>
                  <RelativeTime at={each.createdAt} className="text-fg-3 text-xs" />
                </div>
                <p className="mt-0.5 text-sm">
                  <UntrustedText text={each.text} multiline />
                </p>
              </div>
            </li>
          ))}
        </ol>
      )}
      {canComment && (
        <form
          className="grid gap-2"
          onSubmit={(event) => {
            event.preventDefault();
            send();
          }}
        >
          <ActionProblemNote problem={sending.problem} />
          <Field name="comment" label="Comment" hideLabel>
            <Textarea
              id="comment-text"
              rows={2}
              value={text}
              maxLength={4000}
              placeholder="Ask or answer something; everybody on this request is told"
              onChange={(event) => setText(event.target.value)}
              onKeyDown={(event) => {
                if (event.key === 'Enter' && (event.metaKey || event.ctrlKey)) {
                  event.preventDefault();
                  send();
                }
              }}
            />
          </Field>
          <div className="flex items-center gap-3">
            <Button type="submit" size="sm" pending={sending.pending} disabled={text.trim() === ''}>
              Comment
            </Button>
            <span className="text-fg-3 text-xs max-sm:hidden">
              <Kbd>Ctrl</Kbd> <Kbd>Enter</Kbd>
            </span>
          </div>
        </form>
      )}
    </div>
  );
}
