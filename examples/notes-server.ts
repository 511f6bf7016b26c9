/**
 * An MCP server with something to lose: notes in a folder, an outbox, and tools
 * that read, write, delete and send. SDK 2.x, both protocol eras, loopback only.
 *
 *   NOTES_FOLDER=./notes NOTES_PORT=3111 node examples/notes-server.ts
 *
 * `NOTES_KEY`, when set, is the bearer credential every request must carry: what
 * an MCP server behind a guard asks of the guard. `NOTES_WEBHOOK` makes
 * `send_note` post to a loopback URL; otherwise it writes mail into the outbox.
 */
import { timingSafeEqual } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { Readable } from 'node:stream';
import type { ReadableStream as NodeReadableStream } from 'node:stream/web';
import { type CallToolResult, createMcpHandler, McpServer } from '@modelcontextprotocol/server';
import { z } from 'zod';

export type NotesOptions = {
  folder: string;
  /** 0 picks a free one. */
  port: number;
  key?: string | undefined;
  webhook?: string | undefined;
};

export type NotesServer = { url: string; close(): Promise<void> };

/** A note's name is also its file's: nothing in it can leave the folder. */
const noteName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,63}$/)
  .describe('Name of the note: lower-case letters, digits and hyphens.');
const maxNoteCharacters = 100_000;

/** Starts the server. Rejects when the port is taken. */
export async function startNotesServer(options: NotesOptions): Promise<NotesServer> {
  await mkdir(outboxOf(options), { recursive: true });
  const handler = createMcpHandler(() => describeNotes(options));
  const server = http.createServer(async (request, response) => {
    if (options.key !== undefined && !carriesKey(request, options.key)) {
      response.writeHead(401).end('The notes server wants its own key.\n');
      return;
    }
    const gone = new AbortController();
    response.on('close', () => gone.abort());
    const answer = await handler.fetch(toWebRequest(request, gone.signal));
    response.writeHead(answer.status, Object.fromEntries(answer.headers));
    if (answer.body)
      Readable.fromWeb(answer.body as NodeReadableStream)
        .on('error', () => {})
        .pipe(response);
    else response.end();
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/mcp`,
    async close() {
      await handler.close();
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
    },
  };
}

function describeNotes(options: NotesOptions): McpServer {
  const server = new McpServer(
    { name: 'notes', title: 'Team notes', version: '1.0.0' },
    { instructions: 'Notes of a team. Deleting and sending cannot be undone.' },
  );
  server.registerTool(
    'list_notes',
    {
      title: 'List notes',
      description: 'Names of all notes, in alphabetical order.',
      annotations: { readOnlyHint: true, openWorldHint: false },
    },
    async () => answer((await namesOf(options)).join('\n') || 'There are no notes.'),
  );
  server.registerTool(
    'read_note',
    {
      title: 'Read a note',
      description: 'The whole text of one note.',
      inputSchema: z.object({ name: noteName }),
      annotations: { readOnlyHint: true, openWorldHint: false },
    },
    async ({ name }) => withNote(options, name, answer),
  );
  server.registerTool(
    'search_notes',
    {
      title: 'Search notes',
      description: 'Lines that contain a text, each with the name of its note. Case does not matter.',
      inputSchema: z.object({ text: z.string().min(1).max(200) }),
      annotations: { readOnlyHint: true, openWorldHint: false },
    },
    async ({ text }) => {
      const wanted = text.toLowerCase();
      const hits: string[] = [];
      for (const name of await namesOf(options)) {
        const lines = (await readFile(fileOf(options, name), 'utf8')).split('\n');
        hits.push(
          ...lines.filter((line) => line.toLowerCase().includes(wanted)).map((line) => `${name}: ${line}`),
        );
      }
      return answer(hits.slice(0, 100).join('\n') || 'Nothing found.');
    },
  );
  server.registerTool(
    'write_note',
    {
      title: 'Write a note',
      description: 'Creates a note, or replaces the text of an existing one.',
      inputSchema: z.object({ name: noteName, text: z.string().max(maxNoteCharacters) }),
      annotations: {
        readOnlyHint: false,
        destructiveHint: false,
        idempotentHint: true,
        openWorldHint: false,
      },
    },
    async ({ name, text }) => {
      const file = fileOf(options, name);
      await writeFile(`${file}.new`, text);
      await rename(`${file}.new`, file);
      return answer(`Wrote ${text.length} characters to ${name}.`);
    },
  );
  server.registerTool(
    'delete_note',
    {
      title: 'Delete a note',
      description: 'Deletes a note for good.',
      inputSchema: z.object({ name: noteName }),
      annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: true, openWorldHint: false },
    },
    async ({ name }) =>
      withNote(options, name, async () => {
        await rm(fileOf(options, name));
        return answer(`Deleted ${name}.`);
      }),
  );
  server.registerTool(
    'send_note',
    {
      title: 'Send a note',
      description: 'Sends a note to an e-mail address outside. It cannot be taken back.',
      inputSchema: z.object({ name: noteName, to: z.email() }),
      annotations: {
        readOnlyHint: false,
        destructiveHint: false,
        idempotentHint: false,
        openWorldHint: true,
      },
    },
    async ({ name, to }) => withNote(options, name, (text) => sendNote(options, { name, to, text })),
  );
  return server;
}

async function sendNote(
  options: NotesOptions,
  { name, to, text }: { name: string; to: string; text: string },
): Promise<CallToolResult> {
  if (options.webhook) {
    const response = await fetch(loopbackUrl(options.webhook), {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ name, to, text }),
      redirect: 'error',
      signal: AbortSignal.timeout(10_000),
    });
    if (!response.ok) return failure(`The webhook answered ${response.status}; nothing was sent.`);
  } else {
    const mail = [`To: ${to}`, `Subject: ${name}`, 'Content-Type: text/plain; charset=utf-8', '', text].join(
      '\r\n',
    );
    await writeFile(path.join(outboxOf(options), `${Date.now()}-${crypto.randomUUID()}.eml`), mail);
  }
  return answer(`Sent ${name} to ${to}.`);
}

async function withNote(
  options: NotesOptions,
  name: string,
  then: (text: string) => CallToolResult | Promise<CallToolResult>,
): Promise<CallToolResult> {
  let text: string;
  try {
    text = await readFile(fileOf(options, name), 'utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return failure(`There is no note named ${name}.`);
    throw cause;
  }
  return then(text);
}

async function namesOf({ folder }: NotesOptions): Promise<string[]> {
  const files = await readdir(folder);
  return files
    .filter((file) => file.endsWith('.md'))
    .map((file) => file.slice(0, -3))
    .sort();
}

function fileOf({ folder }: NotesOptions, name: string): string {
  return path.join(folder, `${name}.md`);
}

function outboxOf({ folder }: NotesOptions): string {
  return path.join(folder, 'outbox');
}

function answer(text: string): CallToolResult {
  return { content: [{ type: 'text', text }] };
}

function failure(text: string): CallToolResult {
  return { content: [{ type: 'text', text }], isError: true };
}

function loopbackUrl(value: string): string {
  if (!['127.0.0.1', 'localhost', '[::1]'].includes(new URL(value).hostname))
    throw new TypeError('NOTES_WEBHOOK must be on loopback');
  return value;
}

function carriesKey(request: http.IncomingMessage, key: string): boolean {
  const given = Buffer.from(request.headers.authorization ?? '');
  const wanted = Buffer.from(`Bearer ${key}`);
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}

function toWebRequest(request: http.IncomingMessage, signal: AbortSignal): Request {
  const headers = new Headers();
  for (const [name, value] of Object.entries(request.headers))
    if (typeof value === 'string') headers.set(name, value);
  const body = request.method === 'POST' ? { body: Readable.toWeb(request), duplex: 'half' } : {};
  return new Request(`http://127.0.0.1${request.url ?? '/'}`, {
    method: request.method ?? 'GET',
    headers,
    signal,
    ...body,
  } as RequestInit);
}

if (import.meta.main) {
  const { NOTES_FOLDER, NOTES_PORT, NOTES_KEY, NOTES_WEBHOOK } = process.env;
  const { url } = await startNotesServer({
    folder: NOTES_FOLDER ?? path.resolve('notes'),
    port: Number(NOTES_PORT ?? 3111),
    key: NOTES_KEY,
    webhook: NOTES_WEBHOOK,
  });
  console.log(`Notes server: ${url}`);
}
