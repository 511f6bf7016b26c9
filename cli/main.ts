import { parseArgs } from 'node:util';
import { readConfig } from '#lib/platform/env.ts';
import { OperatorError } from '#lib/platform/operator-error.ts';
import manifest from '../package.json' with { type: 'json' };
import { adminFirst, adminRecover } from './admin.ts';
import { approve } from './approve.ts';
import { backup, restore, verify } from './backup.ts';
import { printConfig } from './config.ts';
import { diagnostics } from './diagnostics.ts';
import { keysNew } from './keys.ts';
import { move, undoMove } from './move.ts';

const usage = `countersign ${manifest.version}

  countersign admin first                a new link that enrols the first admin
  countersign admin recover <email>      a link that makes this address an admin again
  countersign backup <file>              everything the database holds, in one new file; the server may run
  countersign verify <file>              whether a backup is whole and its history holds; needs no server
  countersign restore <file>             into an empty database; --into-new-folder <folder> makes one beside
  countersign move --to <DATABASE_URL>   the embedded database to an empty PostgreSQL; --undo goes back
  countersign diagnostics                what somebody who helps needs to know, without secrets, as JSON
  countersign config                     every setting, its default and what is set

These run on the host, with the same COUNTERSIGN_DATA and other settings as the server. It may be running or not.

  countersign keys new <file>            a key that signs approvals, its private half in the file
  countersign approve <request> --key <file> [--url <issuer>] [--comment <text>] [--yes]
                                         signs the approval of a request, such as CS-12, with that key

These run anywhere; approve calls the API with the token in COUNTERSIGN_TOKEN.
`;

type Options = {
  'into-new-folder'?: string | undefined;
  to?: string | undefined;
  undo?: boolean | undefined;
  key?: string | undefined;
  url?: string | undefined;
  comment?: string | undefined;
  yes?: boolean | undefined;
};
type Command = (args: readonly string[], options: Options) => Promise<void>;

const commands: Record<string, Command> = {
  'admin first': () => adminFirst(),
  'admin recover': async ([email]) => {
    if (!email) throw new OperatorError('Say for whom: countersign admin recover <email>');
    await adminRecover(email);
  },
  backup: ([file]) => backup(required(file, 'countersign backup <file>')),
  verify: ([file]) => verify(required(file, 'countersign verify <file>')),
  restore: ([file], options) =>
    restore(required(file, 'countersign restore <file>'), { newFolder: options['into-new-folder'] }),
  move: (_, { to, undo }) => (undo ? undoMove() : move(required(to, 'countersign move --to <DATABASE_URL>'))),
  diagnostics: () => diagnostics(),
  config: async () => printConfig(),
  'keys new': async ([file]) => {
    if (!file) throw new OperatorError('Say where to keep it: countersign keys new <file>');
    keysNew(file);
  },
  approve: async ([request], { key, url, comment = '', yes = false }) => {
    if (!request || !key) throw new OperatorError('countersign approve <request> --key <file>');
    await approve({ request, keyFile: key, url: url ?? readConfig({}).issuer, comment, yes });
  },
};

function required(value: string | undefined, usageLine: string): string {
  if (!value) throw new OperatorError(`Something is missing: ${usageLine}`);
  return value;
}

async function main(): Promise<number> {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: {
      help: { type: 'boolean', short: 'h' },
      'into-new-folder': { type: 'string' },
      to: { type: 'string' },
      undo: { type: 'boolean' },
      key: { type: 'string' },
      url: { type: 'string' },
      comment: { type: 'string' },
      yes: { type: 'boolean' },
    },
  });
  for (const words of [2, 1]) {
    const command = commands[positionals.slice(0, words).join(' ')];
    if (command && !values.help) {
      await command(positionals.slice(words), values);
      return 0;
    }
  }
  console.log(usage);
  return values.help || positionals.length === 0 ? 0 : 2;
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(isForOperator(error) ? error.message : error);
  process.exitCode = 1;
}

/** Errors whose message is all an operator needs: ours, and those about a mistyped option. */
function isForOperator(error: unknown): error is Error {
  return (
    error instanceof OperatorError ||
    (error instanceof Error && /^ERR_PARSE_ARGS_/.test((error as NodeJS.ErrnoException).code ?? ''))
  );
}
