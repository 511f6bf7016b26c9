import { parseArgs } from 'node:util';
import { OperatorError } from '#lib/platform/operator-error.ts';
import manifest from '../package.json' with { type: 'json' };
import { adminFirst, adminRecover } from './admin.ts';
import { printConfig } from './config.ts';

const usage = `countersign ${manifest.version}

  countersign admin first                a new link that enrols the first admin
  countersign admin recover <email>      a link that makes this address an admin again
  countersign config                     every setting, its default and what is set

Run on the host, with the same COUNTERSIGN_DATA and other settings as the server. It may be running or not.
`;

type Command = (args: readonly string[]) => Promise<void>;

const commands: Record<string, Command> = {
  'admin first': () => adminFirst(),
  'admin recover': async ([email]) => {
    if (!email) throw new OperatorError('Say for whom: countersign admin recover <email>');
    await adminRecover(email);
  },
  config: async () => printConfig(),
};

async function main(): Promise<number> {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: { help: { type: 'boolean', short: 'h' } },
  });
  for (const words of [2, 1]) {
    const command = commands[positionals.slice(0, words).join(' ')];
    if (command && !values.help) {
      await command(positionals.slice(words));
      return 0;
    }
  }
  console.log(usage);
  return values.help || positionals.length === 0 ? 0 : 2;
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof OperatorError ? error.message : error);
  process.exitCode = 1;
}
