'use client';

import { Send, UserRoundCheck } from 'lucide-react';
import { type ReactNode, useState } from 'react';
import type { Action } from '#components/console/action.ts';
import { RelativeTime } from '#components/console/relative-time.tsx';
import { EmptyState } from '#components/console/states.tsx';
import { useAction } from '#components/console/use-action.ts';
import { Badge } from '#components/ui/badge.tsx';
import { Button } from '#components/ui/button.tsx';
import { Callout } from '#components/ui/callout.tsx';
import { Card } from '#components/ui/card.tsx';
import { DescriptionList } from '#components/ui/description-list.tsx';
import { TextLink } from '#components/ui/link-button.tsx';
import type { StartReport } from '#lib/access/start-report.ts';
import type { SettingReport } from '#lib/platform/describe-config.ts';

export type ConfigurationActions = {
  testMail: Action<Record<string, never>, { messageId: string; to: string }>;
  testProvider: Action<
    Record<string, never>,
    { issuer: string; authorizationEndpoint: string; idTokenAlgorithm: string }
  >;
};

/** What the installation was started with, where each value comes from, and what it makes weaker. */
export function ConfigurationView({
  reports,
  keyAges,
  mayAdmin,
  actions,
}: {
  reports: StartReport[];
  keyAges: { purpose: string; activatedAt: string | null }[];
  mayAdmin: boolean;
  actions: ConfigurationActions;
}) {
  const [report] = reports;
  if (!report) {
    return (
      <EmptyState title="No start is on record yet">
        The next start of the gate writes down what it was told.
      </EmptyState>
    );
  }
  const weak = report.settings.filter((setting) => setting.weakens !== null);
  const given = report.settings.filter((setting) => setting.from !== 'default');
  const settingOf = (name: string) => report.settings.find((setting) => setting.name === name)?.value ?? null;
  return (
    <div className="grid gap-4">
      {weak.length > 0 ? (
        <Callout
          tone="danger"
          title={`${weak.length} ${weak.length === 1 ? 'thing is' : 'things are'} weaker than ${weak.length === 1 ? 'it' : 'they'} could be`}
        >
          <ul className="list-disc ps-4">
            {weak.map((setting) => (
              <li key={setting.name}>{setting.weakens}</li>
            ))}
          </ul>
        </Callout>
      ) : (
        <Callout tone="success" title="Nothing here makes the installation weaker than it could be" />
      )}
      <Card id="start" title="Last start">
        <DescriptionList
          columns={2}
          items={[
            { term: 'Version', value: report.version },
            { term: 'Started', value: <RelativeTime at={report.startedAt} /> },
            {
              term: 'Processes',
              value: report.role === 'all' ? 'all in one start' : `${report.role}, apart from the others`,
            },
            {
              term: 'What it said',
              value: report.notes.length === 0 ? 'nothing beside' : report.notes.join(' '),
            },
            ...keyAges.map(({ purpose, activatedAt }) => ({
              term: `Key of ${purpose}`,
              value: (
                <>
                  signs since <RelativeTime at={activatedAt} />
                </>
              ),
            })),
            { term: 'Keys', value: <TextLink href="/keys">All signing keys</TextLink> },
          ]}
        />
      </Card>
      <div className="grid items-start gap-4 lg:grid-cols-2">
        <Card id="mail" title="Mail">
          <Outside
            state={settingOf('COUNTERSIGN_SMTP_URL') ?? 'not set'}
            without="No mail server is set, so mails wait among the outgoing messages."
            may={mayAdmin}
          >
            <TestMail test={actions.testMail} />
          </Outside>
        </Card>
        <Card id="provider" title="Identity provider">
          <Outside
            state={settingOf('COUNTERSIGN_OIDC_ISSUER') ?? 'not set'}
            without="None is set: people sign in with a password of their own."
            may={mayAdmin}
          >
            <TestProvider test={actions.testProvider} />
          </Outside>
        </Card>
      </div>
      <Settings title="Given to this start" settings={given} empty="Nothing: every setting is its default." />
      <Settings
        title="Left as they are"
        settings={report.settings.filter((setting) => setting.from === 'default')}
        empty="None."
      />
    </div>
  );
}

function Settings({ title, settings, empty }: { title: string; settings: SettingReport[]; empty: string }) {
  return (
    <Card flush title={`${title} (${settings.length})`}>
      {settings.length === 0 ? (
        <p className="p-4 text-fg-2 text-sm">{empty}</p>
      ) : (
        <ul className="divide-y divide-line">
          {settings.map((setting) => (
            <li
              key={setting.name}
              className="grid gap-x-6 gap-y-1 px-4 py-2.5 text-sm md:grid-cols-[minmax(0,1fr)_minmax(0,1fr)]"
            >
              <div className="grid content-start gap-0.5">
                <code className="break-all font-medium text-xs">{setting.name}</code>
                <span className="text-fg-2 text-xs">{setting.description}</span>
              </div>
              <div className="grid content-start gap-0.5">
                <span className="flex flex-wrap items-baseline gap-x-2">
                  <code className="min-w-0 break-all text-xs">{setting.value ?? '–'}</code>
                  {setting.isSecret && (
                    <Badge plain tone="neutral">
                      secret
                    </Badge>
                  )}
                  <span className="ml-auto text-fg-3 text-xs">{origins[setting.from]}</span>
                </span>
                {setting.weakens && <span className="text-danger text-xs">{setting.weakens}</span>}
              </div>
            </li>
          ))}
        </ul>
      )}
    </Card>
  );
}

const origins: Readonly<Record<SettingReport['from'], string>> = {
  environment: 'from the environment',
  file: 'from a file',
  default: 'default',
};

function Outside({
  state,
  without,
  may,
  children,
}: {
  state: string;
  without: string;
  may: boolean;
  children: ReactNode;
}) {
  const isSet = state !== 'not set';
  return (
    <div className="grid justify-items-start gap-3 text-sm">
      {isSet ? <code className="break-all text-xs">{state}</code> : <p className="text-fg-2">{without}</p>}
      {isSet && may && children}
    </div>
  );
}

function TestMail({ test }: { test: ConfigurationActions['testMail'] }) {
  const { run, pending, problem } = useAction(test);
  const [sent, setSent] = useState<{ messageId: string; to: string } | null>(null);
  return (
    <>
      <Button icon={<Send aria-hidden />} pending={pending} onClick={() => run({}, setSent)}>
        Send me a test mail
      </Button>
      {problem && (
        <p role="alert" className="text-danger text-xs">
          {problem.detail}
        </p>
      )}
      {sent && (
        <p role="status" className="text-fg-2 text-xs">
          Under way to {sent.to}.{' '}
          <TextLink href={`/notifications/messages/${sent.messageId}`}>See what becomes of it</TextLink>
        </p>
      )}
    </>
  );
}

function TestProvider({ test }: { test: ConfigurationActions['testProvider'] }) {
  const { run, pending, problem } = useAction(test);
  const [found, setFound] = useState<{ authorizationEndpoint: string; idTokenAlgorithm: string } | null>(
    null,
  );
  return (
    <>
      <Button icon={<UserRoundCheck aria-hidden />} pending={pending} onClick={() => run({}, setFound)}>
        Ask it now
      </Button>
      {problem && (
        <p role="alert" className="break-words text-danger text-xs">
          {problem.detail}
        </p>
      )}
      {found && !problem && (
        <p role="status" className="break-words text-fg-2 text-xs">
          It answers. People are sent to <code>{found.authorizationEndpoint}</code>, and it signs with{' '}
          {found.idTokenAlgorithm}.
        </p>
      )}
    </>
  );
}
