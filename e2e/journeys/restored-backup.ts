import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { connectGuard } from '#guard/guard.ts';
import { expectAccessible, expectNoSidewaysScroll } from './support/accessibility.ts';
import { expect, picture, test, uniqueName } from './support/journey.ts';
import { startKeyedAgent } from './support/keyed-agent.ts';

test('A guard has seen more than the database holds, as after a restored backup: no tokens are issued, every page says so, and Adam resumes', async ({
  town,
  visit,
}) => {
  const { olive, agent } = await startKeyedAgent(visit, town.issuer);
  await agent.fetchToken(town.servers.notes);

  const adam = await visit('Adam');
  await adam.goto('/guards');
  await adam.getByRole('button', { name: 'Add guard' }).click();
  const dialog = adam.getByRole('dialog');
  await dialog.getByRole('checkbox', { name: /^Notes/ }).click();
  await dialog.getByRole('textbox', { name: /^Name/ }).fill(uniqueName('witness'));
  await dialog.getByRole('button', { name: 'Make join token' }).click();
  const command = await dialog.getByRole('region', { name: 'Command' }).textContent();
  const joinToken = /COUNTERSIGN_JOIN_TOKEN='([^']+)'/.exec(command ?? '')?.[1] ?? '';
  await dialog.getByRole('button', { name: 'Done' }).click();

  const stateDir = await mkdtemp(path.join(os.tmpdir(), 'countersign-witness-'));
  try {
    const before = await connectGuard({ stateDir, joinToken });
    await before.ready();
    await before.stop();
    // What a backup that is older than this guard would look like to it.
    const floorsFile = path.join(stateDir, 'floors.json');
    const floors = JSON.parse(await readFile(floorsFile, 'utf8'));
    for (const serverId of Object.keys(floors.heads)) floors.heads[serverId] += 5;
    await writeFile(floorsFile, JSON.stringify(floors));
    const witness = await connectGuard({ stateDir });
    try {
      const banner = adam.getByRole('alert').filter({ hasText: 'No tokens are issued' });
      await expect(banner).toBeVisible();
      await expect(agent.fetchToken(town.servers.notes)).rejects.toMatchObject({ cause: { status: 503 } });
      await expectAccessible(adam, 'issuance-stopped');
      await expectNoSidewaysScroll(adam, 'issuance-stopped');
      await adam.setViewportSize({ width: 1280, height: 900 });
      await picture(adam, 'issuance-stopped');
      await olive.goto('/agents');
      await expect(olive.getByText('No tokens are issued')).toBeVisible();
      await expect(olive.getByRole('button', { name: /^Resume/ })).toHaveCount(0);

      await banner.getByRole('button', { name: 'Resume issuance…' }).click();
      const question = adam.getByRole('alertdialog');
      await question.getByRole('button', { name: 'Resume issuance' }).click();
      await expect(question.getByText(/^Say what/).first()).toBeVisible();
      await question.getByRole('textbox').fill('Compared with the log of the witness; nothing was revoked.');
      await expectAccessible(adam, 'issuance-resume');
      await question.getByRole('button', { name: 'Resume issuance' }).click();
      await expect(banner).toHaveCount(0);
      await expect(olive.getByText('No tokens are issued')).toHaveCount(0);
      const token = await agent.fetchToken(town.servers.notes);
      // The guards take the history for the true one again, each with its next message.
      await expect(async () => {
        const session = await agent.connect(town.servers.notes, token);
        expect(await session.callTool('list_notes', {})).toMatchObject({ isError: false });
        await session.close();
      }).toPass({ timeout: 10_000 });
    } finally {
      await witness.stop();
    }
  } finally {
    await rm(stateDir, { recursive: true, force: true });
  }
});
