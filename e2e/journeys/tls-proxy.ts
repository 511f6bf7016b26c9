import { SignJWT } from 'jose';
import { sessionCookieName } from '#gate/session-cookie.ts';
import { createApprovedAgent } from '../../tests/credentials-world.ts';
import { startProduct } from '../../tests/product.ts';
import { startTlsProxy } from '../../tests/tls-proxy.ts';
import { onHost } from '../support/host.ts';
import { untilLive } from './support/acts.ts';
import { expect, test } from './support/journey.ts';

const names = { issuer: 'auth.localhost', console: 'console.localhost' };
const ports = { product: 4850, proxy: 4855 };
const clientAddress = '198.51.100.7';
const password = 'four quiet herons waiting';

test('Behind a TLS proxy, under two https names: Ida enrols and signs in, pages stay live, a client gets its token', async ({
  chromium,
}) => {
  const issuer = `https://${names.issuer}:${ports.proxy}`;
  const consoleOrigin = `https://${names.console}:${ports.proxy}`;
  const environment = {
    COUNTERSIGN_ISSUER: issuer,
    COUNTERSIGN_CONSOLE_ORIGIN: consoleOrigin,
    COUNTERSIGN_LISTEN: '127.0.0.1',
    COUNTERSIGN_TRUSTED_PROXIES: '127.0.0.1/32',
  };
  const product = await startProduct({ port: ports.product, environment });
  const proxy = await startTlsProxy({
    port: ports.proxy,
    names: Object.values(names),
    upstreamPort: ports.product,
    clientAddress,
  });
  const host = { port: ports.product, dataFolder: product.dataFolder, environment };
  try {
    const context = await chromium.newContext({ baseURL: consoleOrigin, ignoreHTTPSErrors: true });
    const ida = await context.newPage();
    await ida.goto(product.enrolLink as string);
    await ida.getByRole('textbox', { name: /^E-mail address/ }).fill('ida@home.example');
    await ida.getByRole('textbox', { name: /^Name/ }).fill('Ida Berg');
    await ida
      .getByLabel(/^Password\s*\*?$/)
      .first()
      .fill(password);
    await ida.getByLabel(/^Password again/).fill(password);
    await ida.getByRole('button', { name: 'Enrol and sign in' }).click();
    await expect(ida.getByRole('heading', { level: 1 })).toContainText('Ida');
    await untilLive(ida);

    await ida.getByRole('button', { name: /Account of Ida/ }).click();
    await ida.getByRole('menuitem', { name: 'Sign out' }).click();
    await ida.getByRole('button', { name: 'Sign out' }).click();
    await ida.getByRole('textbox', { name: /^E-mail address/ }).fill('ida@home.example');
    await ida.getByLabel(/^Password/).fill(password);
    await ida.getByRole('button', { name: 'Sign in' }).click();
    await expect(ida.getByRole('heading', { level: 1 })).toContainText('Ida');
    const cookies = await context.cookies();
    expect(cookies.filter(({ domain }) => domain !== names.console)).toEqual([]);
    const session = cookies.find(({ name }) => name === sessionCookieName(consoleOrigin));
    expect(session).toMatchObject({ secure: true, httpOnly: true });
    expect(session?.name).toMatch(/^__Host-/);

    const agent = await onHost(host, async (ctx) => {
      const opened = await ctx.db.prisma.auditEvent.findFirst({
        where: { kind: 'session.open' },
        orderBy: { arrival: 'desc' },
      });
      expect(opened?.address).toBe(clientAddress);
      return createApprovedAgent(ctx, { authMethod: 'private_key_jwt' });
    });
    const discovered = await proxy.ask(`${issuer}/.well-known/oauth-authorization-server`);
    const metadata = JSON.parse(discovered.text) as Record<string, string>;
    expect(metadata).toMatchObject({ issuer, token_endpoint: `${issuer}/token` });
    const assertion = await new SignJWT({ jti: 'once' })
      .setProtectedHeader({ alg: 'ES256' })
      .setIssuer(agent.clientId)
      .setSubject(agent.clientId)
      .setAudience(issuer)
      .setIssuedAt()
      .setExpirationTime('60s')
      .sign(agent.privateKey as CryptoKey);
    const answer = await proxy.ask(metadata.token_endpoint as string, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams({
        grant_type: 'client_credentials',
        client_id: agent.clientId,
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
        client_assertion: assertion,
        resource: agent.resource,
      }).toString(),
    });
    expect([answer.status, answer.text]).toEqual([200, expect.stringContaining('access_token')]);
    const [, payload = ''] = String(JSON.parse(answer.text).access_token).split('.');
    expect(JSON.parse(Buffer.from(payload, 'base64url').toString('utf8'))).toMatchObject({ iss: issuer });

    // Whoever comes from outside the registration networks is judged by the address the proxy saw, not by the proxy's.
    const registration = {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ client_name: 'New', redirect_uris: ['http://127.0.0.1/callback'] }),
    };
    expect((await proxy.ask(`${issuer}/register`, registration)).status).toBe(403);
    // The proxy replaces what a client says of itself; a foreign name reaches nothing.
    const foreign = { ...registration, headers: { ...registration.headers, host: 'evil.example' } };
    expect((await proxy.ask(`${issuer}/register`, foreign)).status).toBe(421);
    expect((await proxy.ask(`${issuer}/metrics`)).status).toBe(404);
    await context.close();
  } finally {
    await proxy.close();
    await product.stop();
  }
});
