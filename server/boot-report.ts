import { describeConfig, weaknessesOf } from '#lib/platform/describe-config.ts';
import type { Config } from '#lib/platform/env.ts';

const red = (text: string) => (process.stdout.isTTY ? `\u001b[31m${text}\u001b[39m` : text);
const bold = (text: string) => (process.stdout.isTTY ? `\u001b[1m${text}\u001b[22m` : text);

/** Prints what runs, where, what is weaker than it could be, and, until an admin exists, the link that makes one. */
export function printBootReport(
  config: Config,
  facts: {
    version: string;
    notes: readonly string[];
    startedInMs: number;
    enrolLink: string | null;
    servers: readonly { name: string; resource: string }[];
  },
): void {
  const lines = [
    '',
    `${bold('Countersign')} ${facts.version} is ready after ${(facts.startedInMs / 1000).toFixed(1)} s.`,
    '',
    ...describeConfig(config).map((line) => `  ${line}`),
  ];
  if (facts.notes.length > 0) lines.push('', ...facts.notes.map((note) => `  ${note}`));
  const weak = weaknessesOf(config);
  if (weak.length > 0)
    lines.push('', ...weak.map((weakness) => red(`  Weaker than it could be: ${weakness}`)));
  if (facts.servers.length > 0) {
    lines.push('', '  Guarded MCP servers to connect to:');
    for (const { name, resource } of facts.servers) lines.push(`    ${name.padEnd(12)} ${resource}`);
  }
  lines.push('', `  Open ${bold(config.consoleOrigin)}`);
  if (facts.enrolLink) {
    lines.push(
      '',
      '  Nobody is admin yet, so only this host is listened to. This link makes the first one; it works once, for 15 minutes:',
      `  ${bold(facts.enrolLink)}`,
      '  A new one: npm run -s countersign -- admin first',
    );
  }
  console.log(`${lines.join('\n')}\n`);
}
