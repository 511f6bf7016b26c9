import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '#tests/database.ts';
import {
  buildRequestsWorld,
  digestNow,
  fileRequest,
  type RequestsWorld,
  stateOf,
} from '#tests/requests-world.ts';
import { approveRequest, approveRequestInput } from './approve-request.ts';
import { discardDraft, findDraft, saveDraft, saveDraftInput } from './composer-draft.ts';
import { createRequest, createRequestInput } from './create-request.ts';
import type { DraftContent } from './draft-content.ts';
import { previewRequest, previewRequestInput } from './preview-request.ts';
import { readComposer, readDraftOfAgent, readDraftOfRequest } from './read-composer.ts';
import { readPaste } from './read-paste.ts';
import { readRequest } from './read-review.ts';
import { rejectRequest } from './reject-request.ts';
import { withdrawRequest } from './withdraw-request.ts';

let database: TestDatabase;
let world: RequestsWorld;

beforeAll(async () => {
  database = await createTestDatabase({ prisma: 8, hot: 4, emergency: 1 });
  world = await buildRequestsWorld(database.db);
});
afterAll(() => database.drop());

const content: DraftContent = {
  agentName: 'Half a na',
  deputyId: null,
  clientKind: 'key',
  key: { way: 'paste', text: '', madeThumb: '' },
  url: '',
  purpose: {
    task: 'Not fini',
    systems: '',
    dataClass: 'internal',
    attended: false,
    endCondition: '',
    ticket: '',
  },
  lifetime: { seconds: null, custom: null },
  tools: { chosen: {}, sets: {} },
};
const save = (
  version: string | null,
  changes: Partial<DraftContent> = {},
  actor = world.olive,
  subject = 'new',
) =>
  saveDraft(world.as(actor), saveDraftInput.parse({ subject, version, content: { ...content, ...changes } }));
const rows = (personId: string) => database.db.prisma.composerDraft.findMany({ where: { personId } });

describe('a draft', () => {
  test('is for owners, and each sees their own alone', async () => {
    for (const actor of [world.ava, world.audrey, world.adam]) {
      await expect(save(null, {}, actor)).rejects.toMatchObject({ code: 'forbidden' });
      await expect(findDraft(world.as(actor), 'new')).rejects.toMatchObject({ code: 'forbidden' });
    }
    await save(null, { agentName: 'Of Oscar' }, world.oscar);
    expect(await findDraft(world.as(world.olive), 'new')).toBeNull();
    expect((await findDraft(world.as(world.oscar), 'new'))?.content.agentName).toBe('Of Oscar');
    expect(await discardDraft(world.as(world.olive), { subject: 'new' })).toEqual({ discarded: false });
    expect(await findDraft(world.as(world.oscar), 'new')).not.toBeNull();
  });

  test('is not overwritten by a form that knows an earlier one', async () => {
    const first = await save(null);
    await expect(save(null, { agentName: 'Another tab' })).rejects.toMatchObject({ code: 'conflict' });
    const second = await save(first.version, { agentName: 'The first tab' });
    await expect(save(first.version, { agentName: 'Too late' })).rejects.toMatchObject({ code: 'conflict' });
    expect((await findDraft(world.as(world.olive), 'new'))?.content.agentName).toBe('The first tab');
    await discardDraft(world.as(world.olive), { subject: 'new' });
    await expect(save(second.version)).rejects.toMatchObject({ code: 'conflict' });
  });

  test('of two saves at once one wins and the other is told', async () => {
    const first = await save(null, {}, world.olive, `edit:req_${'0'.repeat(32)}`);
    const again = () => save(first.version, {}, world.olive, `edit:req_${'0'.repeat(32)}`);
    const settled = await Promise.allSettled([again(), again()]);
    expect(settled.filter((each) => each.status === 'fulfilled')).toHaveLength(1);
    expect(settled.find((each) => each.status === 'rejected')?.reason).toMatchObject({ code: 'conflict' });
  });

  test('keeps no secret, whatever the browser sent', async () => {
    const secret = `ghp_${'a1'.repeat(18)}`;
    const subject = `edit:req_${'1'.repeat(32)}`;
    await save(
      null,
      {
        purpose: { ...content.purpose, task: `use ${secret}` },
        key: { way: 'paste', text: '{"kty":"OKP","d":"nWGxne_9WmC6hEr0kuwsx"}', madeThumb: '' },
        tools: { chosen: { tl_1: { justification: secret } }, sets: {} },
      },
      world.olive,
      subject,
    );
    const kept = JSON.stringify(await findDraft(world.as(world.olive), subject));
    expect(kept).not.toContain(secret);
    expect(kept).not.toContain('nWGxne');
  });

  test('is bounded in number, form and time', async () => {
    for (let n = 0; n < 23; n++) {
      await save(null, {}, world.oscar, `edit:req_${n.toString(16).padStart(32, '2')}`);
    }
    expect((await rows(world.oscar.personId)).length).toBeLessThanOrEqual(20);
    for (const subject of ['', 'new ', 'edit:', 'change:req_1', `again:agt_${'0'.repeat(32)}`, '../new']) {
      expect(saveDraftInput.safeParse({ subject, version: null, content }).success).toBe(false);
    }
    expect(
      saveDraftInput.safeParse({ subject: 'new', version: null, content: { ...content, state: 'approved' } })
        .success,
    ).toBe(false);
  });

  test('gives nobody anything: no request, no agent, no event', async () => {
    const before = await database.db.prisma.auditEvent.count();
    const requests = await database.db.prisma.registrationRequest.count();
    await save(null, {}, world.olive, `edit:req_${'3'.repeat(32)}`);
    expect(await database.db.prisma.auditEvent.count()).toBe(before);
    expect(await database.db.prisma.registrationRequest.count()).toBe(requests);
  });
});

describe('a paste', () => {
  const paste = (text: string, actor = world.olive) => readPaste(world.as(actor), { text });

  test('is read for owners only', async () => {
    for (const actor of [world.ava, world.audrey, world.adam]) {
      await expect(paste('CS-1', actor)).rejects.toMatchObject({ code: 'forbidden' });
    }
  });

  test('opens the server of the catalogue, and says who adds an unknown one', async () => {
    const known = await paste(JSON.stringify({ mcpServers: { notes: { url: world.resource } } }));
    expect(known.fill).toMatchObject({ serverIds: [world.serverId], agentName: 'notes agent' });
    const unknown = await paste('https://unknown.example/mcp');
    expect(unknown.fill.serverIds).toEqual([]);
    expect(unknown.lines).toContainEqual(
      expect.objectContaining({ kind: 'ignored', why: expect.stringMatching(/adam can add it/) }),
    );
  });

  test('finds one’s own request, and tells others nothing of it', async () => {
    const { id, number, agentId } = await fileRequest(world, { submit: false });
    for (const text of [`CS-${number}`, id]) {
      expect((await paste(text)).open?.href).toBe(`/requests/${id}/edit`);
      expect((await paste(text, world.oscar)).open).toBeNull();
    }
    const { agent } = await stateOf(world, id);
    const clientId = agent.instances[0]?.clientId ?? '';
    expect((await paste(clientId)).open?.href).toBe(`/agents/${agentId}`);
    const foreign = await paste(clientId, world.oscar);
    const none = await paste(`client_${'0'.repeat(32)}`, world.oscar);
    expect(foreign.open).toBeNull();
    expect(foreign.lines.map(({ why }) => why)).toEqual(none.lines.map(({ why }) => why));
  });

  test('writes nothing', async () => {
    const before = await database.db.prisma.auditEvent.count();
    await paste(JSON.stringify({ client_name: 'x y', redirect_uris: ['http://127.0.0.1/cb'] }));
    expect(await database.db.prisma.auditEvent.count()).toBe(before);
    expect(await database.db.prisma.composerDraft.count({ where: { subject: 'paste' } })).toBe(0);
  });
});

describe('what the form is told', () => {
  const preview = (changes: object) =>
    previewRequest(
      world.as(world.olive),
      previewRequestInput.parse({
        clientClass: 'headless service',
        attended: false,
        dataClass: 'internal',
        tools: [{ serverId: world.serverId, name: 'list_notes' }],
        ...changes,
      }),
    );

  test('names the change that would lift a refusal, and only one that does', async () => {
    const tools = ['list_notes', 'delete_note'].map((name) => ({ serverId: world.serverId, name }));
    const refused = await preview({ tools });
    expect(refused.verdict.outcome).toBe('deny');
    expect(refused.smallestChange).toMatchObject({
      outcome: 'needs_review',
      text: expect.stringMatching(/attend/),
    });
    expect((await preview({ tools, attended: true })).verdict.outcome).toBe('needs_review');
    expect((await preview({})).smallestChange).toBeNull();
  });

  test('says how long decisions on such requests took, once there are some', async () => {
    expect((await preview({})).medianDecisionSeconds).toBeNull();
    for (let n = 0; n < 3; n++) {
      const { id } = await fileRequest(world, { tools: ['list_notes'] });
      world.clock.advanceSeconds(600);
      await approveRequest(
        world.as(world.ava),
        approveRequestInput.parse({ requestId: id, snapshotDigest: await digestNow(world, id) }),
      );
    }
    expect((await preview({})).medianDecisionSeconds).toBe(600);
  });

  test('a deputy who cannot be one is shown with the reason', async () => {
    const composer = await readComposer(world.as(world.olive));
    const reasonOf = (personId: string) =>
      composer.deputies.find((each) => each.personId === personId)?.cannot;
    expect(reasonOf(world.oscar.personId)).toBeNull();
    expect(reasonOf(world.ava.personId)).toMatch(/role owner/);
    expect(reasonOf(world.olive.personId)).toMatch(/yourself/i);
  });

  test('a narrowed approval and a withdrawn change are taken up again with everything that was asked', async () => {
    const { id, agentId } = await fileRequest(world, { tools: ['list_notes', 'read_note', 'write_note'] });
    const asked = await database.db.prisma.tool.findMany({
      where: { serverId: world.serverId, name: 'list_notes' },
    });
    await approveRequest(
      world.as(world.ava),
      approveRequestInput.parse({
        requestId: id,
        snapshotDigest: await digestNow(world, id),
        toolLines: asked.map((tool) => ({ toolId: tool.id })),
        comment: 'Reading the list is enough.',
      }),
    );
    const again = await readDraftOfAgent(world.as(world.olive), agentId, id);
    expect(again.draft.tools).toHaveLength(3);
    expect((await readDraftOfAgent(world.as(world.olive), agentId)).draft.tools).toHaveLength(1);
    await expect(readDraftOfAgent(world.as(world.oscar), agentId, id)).rejects.toMatchObject({
      code: 'not_found',
    });
    const change = () =>
      createRequest(
        world.as(world.olive),
        createRequestInput.parse({ kind: 'change', agentId, ...again.draft, submit: true }),
      );
    const first = await change();
    await withdrawRequest(world.as(world.olive), { requestId: first.id, reason: 'Too early' });
    const withdrawn = await readRequest(world.as(world.olive), first.id);
    expect(withdrawn.askAgainHref).toBe(`/requests/new?agent=${agentId}&from=${first.id}`);
    expect((await readRequest(world.as(world.oscar), id).catch((error) => error)).code).toBe('not_found');
    expect((await readRequest(world.as(world.ava), first.id)).askAgainHref).toBeNull();
    expect((await stateOf(world, (await change()).id)).previousRequestId).toBe(first.id);
    const other = await fileRequest(world, { tools: ['list_notes'] });
    await expect(readDraftOfAgent(world.as(world.olive), agentId, other.id)).rejects.toMatchObject({
      code: 'not_found',
    });
    await withdrawRequest(world.as(world.olive), { requestId: other.id, reason: 'Wrong tools' });
    expect((await readDraftOfRequest(world.as(world.olive), other.id, 'ask again')).draft.tools).toHaveLength(
      1,
    );
  });

  test('a refusal says its reason and what would be different enough', async () => {
    const { id } = await fileRequest(world, { tools: ['list_notes', 'write_note'] });
    expect((await readRequest(world.as(world.olive), id)).enough).toEqual([]);
    await rejectRequest(world.as(world.ava), {
      requestId: id,
      snapshotDigest: await digestNow(world, id),
      reason: 'Nobody should write there.',
    });
    const rejected = await readRequest(world.as(world.olive), id);
    expect(rejected.decision?.reason).toBe('Nobody should write there.');
    expect(rejected.enough.join(' ')).toMatch(/Without write_note/);
    expect(rejected.askAgainHref).toBe(`/requests/new?from=${id}`);
  });
});
