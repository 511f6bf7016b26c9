import { createTransport } from 'nodemailer';
import type { Config } from '#lib/platform/env.ts';
import { createRemoteHttp, type RemoteHttp } from '#lib/platform/http.ts';
import type { Logger } from '#lib/platform/log.ts';

export type Mail = { to: string; subject: string; text: string; html: string };

/** What tasks use besides their context: doors to the outside, and where history is read from. */
export type Services = {
  /** Null where no mail server is configured: mails stay listed as undelivered. */
  readonly mail: { send(mail: Mail): Promise<void>; close(): void } | null;
  readonly remote: RemoteHttp;
  /** A role that may read all of history, for long reads on a connection of their own. */
  readonly historyUrl: string;
  readonly log: Logger;
};

const mailTimeoutMs = 10_000;

export function openServices(
  config: Pick<Config, 'smtpUrl' | 'mailFrom' | 'allowLoopbackMetadata'>,
  given: { historyUrl: string; log: Logger },
): Services {
  return {
    mail: config.smtpUrl ? openMail(config.smtpUrl, config.mailFrom) : null,
    remote: createRemoteHttp({ allowLoopback: config.allowLoopbackMetadata, timeoutMs: 10_000 }),
    ...given,
  };
}

function openMail(url: string, from: string): NonNullable<Services['mail']> {
  const transport = createTransport(
    {
      url,
      connectionTimeout: mailTimeoutMs,
      greetingTimeout: mailTimeoutMs,
      socketTimeout: mailTimeoutMs,
      // A message is made of our own text; nothing in it may make us open a file or a URL.
      disableFileAccess: true,
      disableUrlAccess: true,
    },
    { from },
  );
  return {
    async send(mail) {
      await transport.sendMail({
        ...mail,
        // Keeps out-of-office answers and mail loops away (RFC 3834).
        headers: { 'Auto-Submitted': 'auto-generated', 'X-Auto-Response-Suppress': 'All' },
      });
    },
    close: () => transport.close(),
  };
}
