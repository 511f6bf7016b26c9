import { err, ok, type Result } from '#lib/platform/result.ts';

/** What a curl command would send, as far as it says what a client is. Nothing of it is ever run. */
export type CurlCommand = {
  url: string;
  method: string | null;
  headers: { name: string; value: string }[];
  body: string | null;
  /** Options that were read past, by name. */
  ignored: string[];
};

export type CurlProblem =
  | 'not-curl'
  | 'unclosed-quote'
  | 'too-many-words'
  | 'shell'
  | 'option-without-value'
  | 'no-url'
  | 'several-urls'
  | 'file';

const mostWords = 400;

/** Options with a value that say nothing about a client. */
const pastWithValue: ReadonlySet<string> = new Set([
  '-o',
  '--output',
  '-A',
  '--user-agent',
  '-e',
  '--referer',
  '-m',
  '--max-time',
  '--connect-timeout',
  '-x',
  '--proxy',
  '--retry',
  '-w',
  '--write-out',
  '-b',
  '--cookie',
  '-c',
  '--cookie-jar',
  '--cacert',
  '--cert',
  '--key',
  '--resolve',
  '-u',
  '--user',
  '--oauth2-bearer',
]);
const pastAlone: ReadonlySet<string> = new Set([
  '-s',
  '--silent',
  '-S',
  '--show-error',
  '-i',
  '--include',
  '-v',
  '--verbose',
  '-L',
  '--location',
  '-k',
  '--insecure',
  '-f',
  '--fail',
  '-g',
  '--globoff',
  '-N',
  '--no-buffer',
  '-G',
  '--get',
  '-I',
  '--head',
  '--compressed',
  '--http1.1',
  '--http2',
  '-sS',
  '-sSL',
  '-fsSL',
  '-sL',
  '-4',
  '-6',
]);

/**
 * Reads a curl command: words as a POSIX shell would split them (quotes, backslashes, continued lines), then the few
 * options that matter. Whatever a shell would expand or run beside curl refuses the whole command: what cannot be read
 * without running it is not read. Linear in the text.
 */
export function parseCurl(text: string): Result<CurlCommand, CurlProblem> {
  const split = splitWords(text);
  if (!split.ok) return split;
  const [program, ...words] = split.value;
  if (program !== 'curl' && program !== 'curl.exe') return err('not-curl');
  const command: CurlCommand = { url: '', method: null, headers: [], body: null, ignored: [] };
  const bodies: string[] = [];
  for (let index = 0; index < words.length; index++) {
    const word = words[index] as string;
    if (!word.startsWith('-') || word === '-') {
      if (command.url !== '') return err('several-urls');
      command.url = word;
      continue;
    }
    const [option, attached] = splitOption(word);
    const isPast = pastAlone.has(option);
    const value = isPast ? '' : (attached ?? words[++index]);
    if (value === undefined) return err('option-without-value');
    switch (option) {
      case '-H':
      case '--header': {
        const colon = value.indexOf(':');
        if (colon > 0)
          command.headers.push({ name: value.slice(0, colon).trim(), value: value.slice(colon + 1).trim() });
        break;
      }
      case '-d':
      case '--data':
      case '--data-ascii':
      case '--data-binary':
      case '--data-urlencode':
      case '--json':
        // A file of the machine the command ran on is not here.
        if (value.startsWith('@')) return err('file');
        bodies.push(value);
        break;
      case '--data-raw':
        bodies.push(value);
        break;
      case '-X':
      case '--request':
        command.method = value.toUpperCase();
        break;
      case '--url':
        if (command.url !== '') return err('several-urls');
        command.url = value;
        break;
      default:
        if (!isPast && !pastWithValue.has(option)) {
          // An unknown option may or may not take the next word: taking it could swallow the URL.
          if (attached === undefined) index--;
        }
        command.ignored.push(option);
    }
  }
  if (command.url === '') return err('no-url');
  if (bodies.length > 0) command.body = bodies.join('&');
  return ok(command);
}

export function describeCurlProblem(problem: CurlProblem): string {
  switch (problem) {
    case 'not-curl':
      return 'This is not a curl command.';
    case 'unclosed-quote':
      return 'A quotation mark of the command is not closed.';
    case 'too-many-words':
      return `The command has more than ${mostWords} words.`;
    case 'shell':
      return 'The command uses something only a shell can work out (a variable, a pipe, a second command). Paste the curl command alone, with its values written out.';
    case 'option-without-value':
      return 'The last option of the command has no value.';
    case 'no-url':
      return 'The command names no URL.';
    case 'several-urls':
      return 'The command names more than one URL.';
    case 'file':
      return 'The command sends a file, which is not here. Paste what the file says instead.';
  }
}

/** `--header=value` and `-Hvalue`: the option and what is attached to it. */
function splitOption(word: string): [option: string, attached?: string] {
  if (word.startsWith('--')) {
    const equals = word.indexOf('=');
    return equals === -1 ? [word] : [word.slice(0, equals), word.slice(equals + 1)];
  }
  if (word.length > 2 && /^-[HdXuo]/.test(word)) return [word.slice(0, 2), word.slice(2)];
  return [word];
}

function splitWords(text: string): Result<string[], CurlProblem> {
  const words: string[] = [];
  let word = '';
  let isOpen = false;
  let quote: '"' | "'" | null = null;
  for (let index = 0; index < text.length; index++) {
    const character = text[index] as string;
    if (quote === "'") {
      if (character === "'") quote = null;
      else word += character;
      continue;
    }
    if (character === '\\') {
      const next = text[index + 1];
      // A continued line, also as Windows ends it.
      if (next === '\n') index++;
      else if (next === '\r' && text[index + 2] === '\n') index += 2;
      else if (quote === '"' && next !== undefined && !'"\\$`'.includes(next)) word += character;
      else {
        if (next === undefined) return err('unclosed-quote');
        word += next;
        isOpen = true;
        index++;
      }
      continue;
    }
    if (character === '`' || (character === '$' && /[A-Za-z_({'"]/.test(text[index + 1] ?? '')))
      return err('shell');
    if (quote === '"') {
      if (character === '"') quote = null;
      else word += character;
      continue;
    }
    if (character === '"' || character === "'") {
      quote = character;
      isOpen = true;
    } else if (/[ \t\r\n]/.test(character)) {
      if (isOpen) words.push(word);
      if (words.length > mostWords) return err('too-many-words');
      // A line that is not continued ends the command; what follows would be another.
      if (character === '\n' && words.length > 0 && text.slice(index).trim() !== '') return err('shell');
      word = '';
      isOpen = false;
    } else if ('|&;<>()'.includes(character)) {
      return err('shell');
    } else {
      word += character;
      isOpen = true;
    }
  }
  if (quote !== null) return err('unclosed-quote');
  if (isOpen) words.push(word);
  return ok(words);
}
