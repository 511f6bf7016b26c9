import { createHash, generateKeyPairSync } from 'node:crypto';
import { SignJWT } from 'jose';
import { invitePerson, issueFirstAdminLink, redeemInvitation } from '#lib/access/invitations.ts';
import { deactivatePerson } from '#lib/access/people.ts';
import { createHandoff, openSession } from '#lib/access/sessions.ts';
import { expireAgents } from '#lib/agents/expire-agents.ts';
import { publishServerChange } from '#lib/agents/publish-server-change.ts';
import { approveRequest } from '#lib/approvals/approve-request.ts';
import { commentRequest } from '#lib/approvals/comment-request.ts';
import { createRequest, createRequestInput } from '#lib/approvals/create-request.ts';
import { expireRequests } from '#lib/approvals/expire-requests.ts';
import { rejectRequest } from '#lib/approvals/reject-request.ts';
import { requestChanges } from '#lib/approvals/request-changes.ts';
import { beginApproval } from '#lib/approvals/signed-approval.ts';
import { submitClaim } from '#lib/approvals/submit-claim.ts';
import { withdrawRequest } from '#lib/approvals/withdraw-request.ts';
import { classifyTools } from '#lib/catalogue/classify-tools.ts';
import { type CatalogueServer, listCatalogue } from '#lib/catalogue/read-catalogue.ts';
import { createToolSet } from '#lib/catalogue/tool-sets.ts';
import { exchange } from '#lib/credentials/exchange.ts';
import { parseClientMetadata } from '#lib/oauth/client-metadata.ts';
import { readRequestedScope } from '#lib/oauth/scope.ts';
import type { PersonActor } from '#lib/platform/actor.ts';
import { parseRanges } from '#lib/platform/address.ts';
import { toNumericDate } from '#lib/platform/clock.ts';
import { randomToken } from '#lib/platform/crypto.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { newId } from '#lib/platform/ids.ts';
import { beginAuthorization } from '#lib/registration/begin-authorization.ts';
import { continueTransaction } from '#lib/registration/continue-transaction.ts';
import { endQuarantine, endUnclaimedQuarantines } from '#lib/registration/end-quarantine.ts';
import { Intake } from '#lib/registration/intake.ts';
import { openHandle } from '#lib/registration/open-handle.ts';
import { createRegistrar } from '#lib/registration/register-client.ts';
import { metadataPolicy } from '#lib/registration/registration-policy.ts';
import { sweepRevocation } from '#lib/revocation/receipt.ts';
import { revokeAgent, stopAgentInput, suspendAgent } from '#lib/revocation/stop-agent.ts';
import { acceptAck } from '#lib/revocation/testimony.ts';
import { HistoryClock } from './history-clock.ts';
import type { DemoKeys } from './keys.ts';
import { type PersonaKey, personas } from './personas.ts';

type GateCtx = Ctx & { vault: NonNullable<Ctx['vault']> };
type Who = PersonaKey | 'otis';

/** The story begins this many days before the first start. */
export const storyDays = 35;

/**
 * Tells the demo's story once, with the product's own verbs on a clock that starts five weeks before the first start:
 * every request, decision, token and stop of it was really made, checked and recorded. It covers every state there is,
 * and ends with work waiting for each persona today.
 */
export async function seedDemo(base: GateCtx, keys: DemoKeys): Promise<void> {
  if ((await base.db.prisma.person.count()) > 0) return;
  await new Story(base, keys).tell();
}

class Story {
  readonly #base: GateCtx;
  readonly #keys: DemoKeys;
  readonly #clock: HistoryClock;
  readonly #today: Date;
  readonly #people = new Map<Who, PersonActor>();
  readonly #intake: Intake;
  #servers: CatalogueServer[] = [];

  constructor(base: GateCtx, keys: DemoKeys) {
    this.#base = base;
    this.#keys = keys;
    this.#today = base.clock.now();
    this.#clock = new HistoryClock(this.#daysAgo(storyDays));
    this.#intake = new Intake(base.db, this.#clock, {
      networks: parseRanges(['127.0.0.0/8']),
      perSourcePerMinute: 600,
      perMinute: 600,
      maxUnclaimedPerSource: 200,
      maxUnclaimed: 2_000,
    });
  }

  async tell(): Promise<void> {
    await this.#thePeople();
    await this.#theCatalogue();
    await this.#weeksAgo();
    await this.#thisWeek();
    await this.#todaysWork();
  }

  // ── the means ─────────────────────────────────────────────────────────────

  #daysAgo(days: number, hour = 9, minute = 0): Date {
    const day = new Date(this.#today.getTime() - days * 24 * 3600_000);
    day.setUTCHours(hour, minute, 0, 0);
    return day;
  }

  #at(days: number, hour = 9, minute = 0): void {
    this.#clock.moveTo(this.#daysAgo(days, hour, minute));
  }

  #minutesAgo(minutes: number): void {
    this.#clock.moveTo(new Date(this.#today.getTime() - minutes * 60_000));
  }

  #system(): GateCtx {
    return {
      ...this.#base,
      clock: this.#clock,
      traceId: newId('trace'),
      address: '127.0.0.1',
      userAgent: null,
    };
  }

  #as(who: Who): GateCtx {
    const actor = this.#people.get(who);
    if (!actor) throw new TypeError(`${who} has not arrived yet`);
    // Each act of the story is one of somebody who has just proved who they are.
    const system = this.#system();
    return {
      ...system,
      actor: { ...actor, elevatedAt: system.clock.now() },
      userAgent: 'Mozilla/5.0 (demo)',
    };
  }

  #anonymous(userAgent: string): GateCtx {
    return { ...this.#system(), actor: { kind: 'anonymous' }, userAgent };
  }

  #tool(server: string, name: string) {
    const found = this.#servers
      .find((each) => each.name === server)
      ?.tools.find((tool) => tool.name === name);
    if (!found) throw new TypeError(`${server} has no tool ${name}`);
    return { toolId: found.toolId, justification: '' };
  }

  async #digestOf(requestId: string): Promise<string> {
    const revision = await this.#base.db.prisma.requestRevision.findFirstOrThrow({
      where: { requestId },
      orderBy: { number: 'desc' },
    });
    return revision.snapshotDigest;
  }

  async #approve(
    who: PersonaKey,
    requestId: string,
    { comment = '', ...less }: { toolLines?: string[]; lifetimeSeconds?: number; comment?: string } = {},
  ) {
    const asked = { requestId, snapshotDigest: await this.#digestOf(requestId), ...less };
    const { needsSignature, statement } = await beginApproval(this.#as(who), asked);
    const signature = needsSignature ? this.#keys.sign(who, statement) : undefined;
    return approveRequest(this.#as(who), { ...asked, comment, signature });
  }

  // ── the people ────────────────────────────────────────────────────────────

  async #thePeople(): Promise<void> {
    const [adam] = personas.filter((persona) => persona.key === 'adam');
    if (!adam) throw new TypeError('the demo needs adam');
    const first = await issueFirstAdminLink(this.#system());
    await this.#arrive('adam', first.url, { email: adam.email, displayName: adam.displayName });
    await this.#keys.enrol(this.#as('adam'), 'adam');
    this.#at(35, 10);
    for (const persona of personas) {
      if (persona.key === 'adam') continue;
      const link = await invitePerson(this.#as('adam'), { email: persona.email, roles: [...persona.roles] });
      await this.#arrive(persona.key, link.url, { displayName: persona.displayName });
      await this.#keys.enrol(this.#as(persona.key), persona.key);
    }
    const link = await invitePerson(this.#as('adam'), { email: 'otis@demo.example', roles: ['owner'] });
    await this.#arrive('otis', link.url, { displayName: 'Otis Lang' });
  }

  async #arrive(who: Who, url: string, about: { email?: string; displayName: string }): Promise<void> {
    const token = new URL(url).hash.replace(/^#(?:token=)?/, '');
    const ctx = this.#anonymous('Mozilla/5.0 (demo)');
    const { handoff, personId } = await redeemInvitation(ctx, { token, password: randomToken(), ...about });
    await openSession(ctx, { handoff, previousToken: null });
    await this.#signIn(who, personId);
  }

  /** A session of this moment, as the verbs that insist on a browser want it. */
  async #signIn(who: Who, personId: string): Promise<void> {
    const ctx = this.#anonymous('Mozilla/5.0 (demo)');
    const handoff = await createHandoff(this.#base.db.prisma, ctx, personId, 'demo');
    await openSession(ctx, { handoff, previousToken: null });
    const session = await this.#base.db.prisma.personSession.findFirstOrThrow({
      where: { personId, endedAt: null },
      orderBy: { id: 'desc' },
      include: { person: { include: { roles: true } } },
    });
    this.#people.set(who, {
      kind: 'person',
      personId,
      subject: session.person.subject,
      displayName: session.person.displayName,
      roles: session.person.roles
        .filter((grant) => grant.effectiveAt && !grant.endedAt)
        .map((grant) => grant.role as PersonActor['roles'][number]),
      via: 'session',
      sessionId: session.id,
      authnAt: session.authnAt,
      elevatedAt: session.elevatedAt,
    });
  }

  // ── the catalogue ─────────────────────────────────────────────────────────

  async #theCatalogue(): Promise<void> {
    this.#at(34, 9);
    this.#servers = await listCatalogue(this.#system());
    for (const server of this.#servers) {
      const tools = server.tools
        .filter((tool) => tool.proposedClass !== 'unclassified')
        .map((tool) => ({
          toolVersionId: tool.toolVersionId,
          class: tool.proposedClass as 'read' | 'write' | 'destructive' | 'external',
          risk: tool.proposedRisk,
        }));
      if (tools.length > 0)
        await classifyTools(this.#as('adam'), { serverId: server.id, tools }, publishServerChange);
    }
    this.#servers = await listCatalogue(this.#system());
    const reading = this.#servers.flatMap((server) =>
      server.tools.filter((tool) => tool.class === 'read').map((tool) => tool.toolId),
    );
    if (reading.length > 0) {
      await createToolSet(this.#as('adam'), {
        name: 'Readers',
        purpose: 'Everything that only reads.',
        toolIds: reading,
      });
    }
  }

  // ── weeks ago: what has ended, in every way there is ──────────────────────

  async #weeksAgo(): Promise<void> {
    const notes = (name: string) => this.#tool('Notes', name);

    this.#at(28, 11);
    const expired = await this.#carried('oscar', 'Release notes drafter', {
      task: 'Draft the release notes from the notes of the week.',
      lifetimeDays: 5,
      tools: [notes('list_notes'), notes('read_note')],
    });
    this.#at(28, 12);
    await this.#approve('abel', expired.id, { comment: 'Fine for one release.' });

    this.#at(26, 9);
    const rejected = await this.#carried('oscar', 'Inbox zero bot', {
      task: 'Delete notes that nobody has read for a month.',
      lifetimeDays: 90,
      attended: true,
      tools: [notes('delete_note'), notes('list_notes')],
    });
    this.#at(26, 10);
    await rejectRequest(this.#as('ava'), {
      requestId: rejected.id,
      reason: 'Ninety days of deleting is too long. Ask again for one clean-up, with a ticket.',
    });

    this.#at(25, 14);
    const withdrawn = await this.#carried('olive', 'Translation helper', {
      task: 'Translate notes for the Lisbon office.',
      lifetimeDays: 30,
      tools: [notes('read_note'), notes('write_note')],
    });
    this.#at(25, 15);
    await withdrawRequest(this.#as('olive'), {
      requestId: withdrawn.id,
      reason: 'The office closed; not needed any more.',
    });

    this.#at(24, 9);
    await this.#register('Cursor', 'cursor://anysphere.cursor-mcp/oauth/callback');
    this.#at(22, 9, 30);
    await endUnclaimedQuarantines(this.#system());

    this.#at(21, 9);
    const ended = await this.#register('Claude Code (notes)', 'http://localhost:51515/callback');
    this.#at(21, 9, 5);
    await endQuarantine(this.#as('abel'), {
      clientId: ended,
      reason: 'Nobody here started this; the name is borrowed.',
    });

    this.#at(20, 13);
    const lapsed = await this.#carried('otis', 'Standup summariser', {
      task: 'Summarise the stand-up notes every morning.',
      lifetimeDays: 30,
      tools: [notes('list_notes'), notes('read_note')],
    });
    this.#at(13, 9);
    await this.#lapse(lapsed.id);
    this.#at(12, 9);
    const otis = this.#people.get('otis');
    if (otis)
      await deactivatePerson(this.#as('adam'), { personId: otis.personId, reason: 'Left the company.' });
    await expireAgents(this.#system());

    this.#at(11, 10);
    await this.#signIn('olive', this.#people.get('olive')?.personId ?? '');
    const revoked = await this.#claimed(
      'olive',
      'Gemini CLI MCP Client',
      'Gemini CLI MCP Client',
      'http://localhost:7777/oauth/callback',
      {
        agentName: "Olive's terminal assistant",
        task: 'Answer questions about our notes from the terminal.',
        lifetimeDays: 30,
        tools: [notes('list_notes'), notes('read_note')],
        approver: 'ava',
      },
    );
    // It was at work when it was stopped.
    this.#at(9, 15, 58);
    await revoked.refresh();
    this.#at(9, 16);
    const stop = await revokeAgent(
      this.#as('ava'),
      stopAgentInput.parse({
        agentId: revoked.agentId,
        cause: 'compromise',
        reason: 'The laptop it ran on was stolen.',
      }),
    );
    await this.#guardsAcknowledge(stop.revocationId);
    this.#at(9, 16, 1);
    await sweepRevocation(this.#system(), stop.revocationId);
  }

  // ── this week: what is alive, and what has been stopped for now ───────────

  async #thisWeek(): Promise<void> {
    const notes = (name: string) => this.#tool('Notes', name);
    const files = (name: string) => this.#tool('Files', name);

    this.#at(6, 9);
    for (const who of ['olive', 'oscar'] as const)
      await this.#signIn(who, this.#people.get(who)?.personId ?? '');
    await this.#claimed(
      'olive',
      'Claude Code (notes)',
      'Claude Code (notes)',
      'http://localhost:52104/callback',
      {
        agentName: 'Claude Code on notes',
        task: 'Keep the meeting notes in order while I work.',
        lifetimeDays: 60,
        attended: true,
        tools: [notes('list_notes'), notes('read_note'), notes('write_note'), notes('delete_note')],
        approver: 'ava',
        keep: ['list_notes', 'read_note', 'write_note'],
        comment: 'No deleting until we have a backup of the notes.',
      },
    );

    this.#at(5, 10);
    await this.#keyed('olive', 'Nightly report', {
      task: 'Write the nightly report from the files of the day.',
      lifetimeDays: 7,
      tools: [files('list_directory'), files('read_text_file')],
      approver: 'abel',
    });

    this.#at(4, 11);
    const suspended = await this.#claimed(
      'oscar',
      'Visual Studio Code',
      'Visual Studio Code',
      'http://127.0.0.1:33418/',
      {
        agentName: 'VS Code on files',
        task: 'Look things up in the shared files while coding.',
        lifetimeDays: 30,
        tools: [files('read_text_file'), files('list_directory'), files('search_files')],
        approver: 'abel',
      },
    );
    this.#at(2, 15);
    const pause = await suspendAgent(
      this.#as('abel'),
      stopAgentInput.parse({
        agentId: suspended.agentId,
        reason: 'Paused while we find out why it searched at night.',
      }),
    );
    await this.#guardsAcknowledge(pause.revocationId);
    this.#at(2, 15, 1);
    await sweepRevocation(this.#system(), pause.revocationId);
    this.#at(1, 9);
    await createRequest(
      this.#as('oscar'),
      createRequestInput.parse({
        kind: 'reinstate',
        agentId: suspended.agentId,
        reason: 'The searches were mine: I was on call. I will keep it to working hours.',
      }),
    );
  }

  // ── today: something waits for everybody ──────────────────────────────────

  async #todaysWork(): Promise<void> {
    const notes = (name: string) => this.#tool('Notes', name);
    const everything = (name: string) => this.#tool('Everything', name);

    this.#minutesAgo(170);
    for (const who of ['olive', 'oscar'] as const)
      await this.#signIn(who, this.#people.get(who)?.personId ?? '');
    const changes = await this.#carried('oscar', 'Customer digest', {
      task: 'Send a digest of customer notes to the account team every Friday.',
      lifetimeDays: 90,
      attended: true,
      dataClass: 'confidential',
      tools: [
        notes('list_notes'),
        notes('read_note'),
        { ...notes('send_note'), justification: 'The digest has to leave by mail.' },
      ],
    });
    this.#minutesAgo(150);
    await requestChanges(this.#as('ava'), {
      requestId: changes.id,
      reason:
        'Ninety days of sending confidential notes needs a ticket and a shorter end. Thirty days would do.',
    });

    this.#minutesAgo(95);
    const waiting = await this.#keyedRequest('olive', 'Invoice checker', {
      task: 'Compare new invoices with the notes about each supplier.',
      lifetimeDays: 30,
      tools: [notes('list_notes'), notes('read_note'), notes('write_note')],
    });
    this.#minutesAgo(80);
    await commentRequest(this.#as('abel'), {
      requestId: waiting.id,
      text: 'Does it have to write? Reading looks enough.',
    });

    this.#minutesAgo(40);
    await createRequest(
      this.#as('oscar'),
      createRequestInput.parse({
        kind: 'new',
        client: { kind: 'carried' },
        agentName: 'Echo test',
        purpose: this.#purpose({ task: 'Try the echo tool in a workshop.', attended: true }),
        lifetimeSeconds: 4 * 3600,
        tools: [everything('echo')],
      }),
    );

    this.#minutesAgo(12);
    await this.#register('Codex', 'http://127.0.0.1:53999/callback');
    await this.#register('Codex', 'http://127.0.0.1:54001/callback');
    await this.#register('Claude Сode (notes)', 'http://localhost:54110/callback');
  }

  // ── ways in ───────────────────────────────────────────────────────────────

  #purpose(about: { task: string; attended?: boolean; dataClass?: 'internal' | 'confidential' }) {
    return {
      task: about.task,
      systems: [],
      dataClass: about.dataClass ?? 'internal',
      attended: about.attended ?? false,
      endCondition: 'When the project closes.',
      ticket: null,
    };
  }

  /** A headless agent whose owner carries its token, submitted. */
  #carried(who: Who, agentName: string, wish: Wish) {
    return this.#file(who, agentName, { kind: 'carried' }, wish);
  }

  #file(who: Who, agentName: string, client: object, wish: Wish) {
    return createRequest(
      this.#as(who),
      createRequestInput.parse({
        kind: 'new',
        client,
        agentName,
        purpose: this.#purpose(wish),
        lifetimeSeconds: wish.lifetimeDays * 24 * 3600,
        tools: wish.tools,
        submit: true,
      }),
    );
  }

  async #keyedRequest(who: Who, agentName: string, wish: Wish) {
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const jwk = { ...publicKey.export({ format: 'jwk' }), alg: 'ES256', use: 'sig' };
    return this.#file(who, agentName, { kind: 'key', jwks: { keys: [jwk] } }, wish);
  }

  /** A headless agent with a key of its own, approved, that has fetched a token. */
  async #keyed(who: Who, agentName: string, wish: Wish & { approver: PersonaKey }): Promise<void> {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const jwk = { ...publicKey.export({ format: 'jwk' }), alg: 'ES256', use: 'sig' };
    const request = await this.#file(who, agentName, { kind: 'key', jwks: { keys: [jwk] } }, wish);
    await this.#approve(wish.approver, request.id);
    const { clientId } = await this.#base.db.prisma.instance.findFirstOrThrow({
      where: { agentId: request.agentId },
    });
    const now = toNumericDate(this.#clock.now());
    const assertion = await new SignJWT({})
      .setProtectedHeader({ alg: 'ES256' })
      .setIssuer(clientId)
      .setSubject(clientId)
      .setAudience(this.#base.site.issuer)
      .setIssuedAt(now)
      .setExpirationTime(now + 120)
      .setJti(randomToken(12))
      .sign(privateKey);
    await exchange(
      this.#anonymous('node'),
      { method: 'private_key_jwt', clientId, assertion },
      { grantType: 'client_credentials', scope: readRequestedScope(undefined), resource: null },
    );
  }

  /** A client that registers itself and stays in quarantine. Returns its client_id. */
  async #register(clientName: string, redirectUri: string): Promise<string> {
    const ctx = this.#anonymous(clientName);
    const metadata = parseClientMetadata(
      {
        client_name: clientName,
        redirect_uris: [redirectUri],
        grant_types: ['authorization_code', 'refresh_token'],
        token_endpoint_auth_method: 'none',
        application_type: 'native',
      },
      metadataPolicy(ctx.site),
    );
    if (!metadata.ok)
      throw new TypeError(`the demo registers a client that is refused: ${metadata.error.reason}`);
    const registrar = createRegistrar(this.#base.db, this.#intake);
    const { clientId } = await registrar.registerClient(ctx, metadata.value);
    return clientId;
  }

  /** An unmodified client: registers, is claimed, approved, continues and exchanges its code. */
  async #claimed(
    who: Who,
    clientName: string,
    userAgent: string,
    redirectUri: string,
    wish: Wish & { agentName: string; approver: PersonaKey; keep?: string[]; comment?: string },
  ): Promise<{ agentId: string; refresh(): Promise<void> }> {
    const clientId = await this.#register(clientName, redirectUri);
    const verifier = randomToken();
    const query = new URLSearchParams({
      response_type: 'code',
      client_id: clientId,
      redirect_uri: redirectUri,
      code_challenge: createHash('sha256').update(verifier).digest('base64url'),
      code_challenge_method: 'S256',
      state: randomToken(8),
      resource: this.#serverOfTool(wish.tools[0]?.toolId ?? '').resource,
    });
    const answer = await beginAuthorization(this.#anonymous(userAgent), query.toString());
    if (answer.kind !== 'continue') throw new TypeError(`the demo's sign-in was answered ${answer.kind}`);
    const handle = new URL(answer.location).searchParams.get('handle') ?? '';
    const { claimKey } = await openHandle(this.#as(who), { handle });
    const claim = await submitClaim(this.#as(who), {
      handle,
      claimKey,
      agentName: wish.agentName,
      deputyId: null,
      purpose: this.#purpose(wish),
      lifetimeSeconds: wish.lifetimeDays * 24 * 3600,
      tools: wish.tools.map((tool) => ({ constraints: [], toolSetVersionId: null, ...tool })),
    });
    await this.#approve(wish.approver, claim.id, {
      ...(wish.keep ? { toolLines: wish.keep } : {}),
      ...(wish.comment ? { comment: wish.comment } : {}),
    });
    const { location } = await continueTransaction(this.#as(who), { transactionId: claim.transactionId });
    const code = location ? new URL(location).searchParams.get('code') : null;
    if (!code) throw new TypeError('the demo was approved and got no code');
    const tokens = await exchange(
      this.#anonymous(userAgent),
      { method: 'none', clientId },
      { grantType: 'authorization_code', code, codeVerifier: verifier, redirectUri, resource: null },
    );
    const refresh = async () => {
      const refreshToken = tokens.ok ? tokens.value.refresh_token : undefined;
      if (!refreshToken) throw new TypeError('the demo continued and got no refresh token');
      const grant = { grantType: 'refresh_token' as const, refreshToken, scope: null, resource: null };
      await exchange(this.#anonymous(userAgent), { method: 'none', clientId }, grant);
    };
    return { agentId: claim.agentId, refresh };
  }

  #serverOfTool(toolId: string): CatalogueServer {
    const found = this.#servers.find((server) => server.tools.some((tool) => tool.toolId === toolId));
    if (!found) throw new TypeError('a tool of no server');
    return found;
  }

  /** The guard of the examples says at the time, as it would have, that a stop is in force there. */
  async #guardsAcknowledge(revocationId: string): Promise<void> {
    const revocation = await this.#base.db.prisma.revocation.findUniqueOrThrow({
      where: { id: revocationId },
      include: { acks: true },
    });
    const sequences = Object.entries(revocation.sequences as Record<string, number>);
    for (const { guardId } of revocation.acks) {
      const guard = await this.#base.db.prisma.guard.findUniqueOrThrow({ where: { id: guardId } });
      const now = this.#clock.now();
      await acceptAck(this.#system(), guard, {
        iss: guardId,
        aud: this.#base.site.issuer,
        iat: toNumericDate(now),
        jti: randomToken(12),
        generation: 1,
        applied: sequences.map(([serverId, sequence]) => ({
          serverId,
          sequence,
          appliedAtMs: now.getTime(),
        })),
        refusals: [],
        ahead: [],
      });
    }
  }

  /** A request that nobody decided in time. */
  async #lapse(requestId: string): Promise<void> {
    const { expiresAt } = await this.#base.db.prisma.registrationRequest.findUniqueOrThrow({
      where: { id: requestId },
    });
    if (expiresAt) this.#clock.moveTo(expiresAt);
    await expireRequests(this.#system());
  }
}

type Wish = {
  task: string;
  lifetimeDays: number;
  tools: { toolId: string; justification: string }[];
  attended?: boolean;
  dataClass?: 'internal' | 'confidential';
};
