import { readFile } from 'node:fs/promises';
import { expect, type Locator, type Page } from '@playwright/test';
import { picture } from './journey.ts';

/** Fills the claim of a client and hands it to the approvers. Tools that can do harm come with a reason. */
export async function askForApproval(
  page: Page,
  claim: {
    agentName?: string;
    task: string;
    endCondition: string;
    tools: Readonly<Record<string, string | null>>;
    pictureName?: string;
  },
): Promise<void> {
  if (claim.agentName) await page.getByRole('textbox', { name: /^Call it/ }).fill(claim.agentName);
  await page.getByRole('textbox', { name: /^What will it do\?/ }).fill(claim.task);
  await page.getByRole('textbox', { name: /^Done when/ }).fill(claim.endCondition);
  for (const [tool, reason] of Object.entries(claim.tools)) {
    await page.getByRole('checkbox', { name: tool, exact: true }).click();
    if (reason !== null) await page.getByRole('textbox', { name: `Why ${tool} is needed` }).fill(reason);
  }
  if (claim.pictureName) await picture(page, claim.pictureName);
  await page.getByRole('button', { name: 'Ask for approval' }).click();
}

/** Opens a request out of the approver's queue. */
export async function openReview(page: Page, agentName: string): Promise<void> {
  await page.goto('/review');
  await page
    .getByRole('table', { name: 'Requests waiting for a decision' })
    .getByRole('link', { name: agentName })
    .click();
  await page.waitForURL('**/review/*');
  await expect(page.getByRole('heading', { level: 1 })).toContainText(agentName);
}

/** Opens an agent from the list of agents and returns its id. */
export async function openAgent(page: Page, agentName: string): Promise<string> {
  await page.goto('/agents');
  await page.getByRole('link', { name: agentName }).first().click();
  await page.waitForURL('**/agents/agt_*');
  await expect(page.getByRole('heading', { level: 1 })).toContainText(agentName);
  return new URL(page.url()).pathname.split('/').at(-1) as string;
}

/** The id of an agent's client, which its owner finds on the agent's page. */
export async function readClientId(page: Page, agentName: string): Promise<string> {
  await openAgent(page, agentName);
  const href = await page.locator('#clients').getByRole('link').first().getAttribute('href');
  return decodeURIComponent((href as string).replace('/clients/', ''));
}

/** Revokes an agent and waits for the receipt; returns the agent's id. */
export async function revokeAgent(page: Page, agentName: string): Promise<string> {
  const agentId = await openAgent(page, agentName);
  await page.getByRole('button', { name: 'Revoke', exact: true }).click();
  await page.getByRole('alertdialog').getByRole('button', { name: 'Revoke now' }).click();
  await page.waitForURL('**/revocations/*');
  return agentId;
}

/** Fills purpose and tools of the form for a request. */
export async function composeRequest(
  page: Page,
  wish: {
    task: string;
    endCondition: string;
    server: string;
    tools: Readonly<Record<string, string | null>>;
  },
): Promise<void> {
  await page.getByRole('textbox', { name: /^What will it do\?/ }).fill(wish.task);
  await page.getByRole('textbox', { name: /^Done when/ }).fill(wish.endCondition);
  const server = page.locator('details', { has: page.getByText(wish.server, { exact: true }) });
  if ((await server.getAttribute('open')) === null) await server.locator('summary').click();
  for (const [tool, reason] of Object.entries(wish.tools)) {
    await server.getByRole('checkbox', { name: tool, exact: true }).click();
    if (reason !== null) await page.getByRole('textbox', { name: `Why ${tool} is needed` }).fill(reason);
  }
}

/** The dialog of a decision, by its title: a notice that slides in is a dialog to assistive technology, too. */
export function decisionDialog(page: Page): Locator {
  return page.getByRole('dialog', { name: /: CS-\d+$/ });
}

/** Approves the open review without taking anything away. */
export async function approveAsAsked(page: Page): Promise<void> {
  await page.getByRole('button', { name: /^Approve as asked/ }).click();
  const dialog = decisionDialog(page);
  await dialog.getByRole('button', { name: /^Approve/ }).click();
  await expect(dialog).toBeHidden();
}

/**
 * Files a request for an agent with a key of its own on the notes server, and returns the private half as the browser
 * saved it; the page shows the request afterwards.
 */
export async function fileKeyedRequest(page: Page, wish: NotesWish): Promise<JsonWebKey> {
  await page.goto('/requests/new');
  await page.getByRole('textbox', { name: /^Name/ }).fill(wish.agentName);
  const saved = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Make key and save private half' }).click();
  await expect(page.getByText('Key made; its private half was saved as a file')).toBeVisible();
  const file = await (await saved).path();
  await submitForNotes(page, wish);
  return JSON.parse(await readFile(file, 'utf8')) as JsonWebKey;
}

/** The same for an agent whose tokens its owner carries to it. */
export async function fileCarriedRequest(page: Page, wish: NotesWish): Promise<void> {
  await page.goto('/requests/new');
  await page.getByRole('textbox', { name: /^Name/ }).fill(wish.agentName);
  await page.getByRole('radio', { name: /^With tokens I carry to it/ }).click();
  await submitForNotes(page, wish);
}

type NotesWish = { agentName: string; tools: Readonly<Record<string, string | null>> };

async function submitForNotes(page: Page, { tools }: NotesWish): Promise<void> {
  await composeRequest(page, {
    task: 'Look after the notes of the team.',
    endCondition: 'The quarter ends',
    server: 'Notes',
    tools,
  });
  await page.getByRole('button', { name: 'Submit for approval' }).click();
  await page.waitForURL(/\/requests\/req_[^/]+$/);
}

/** The page's own script runs and its stream is open: names of controls are complete, and menus open. */
export async function untilLive(page: Page): Promise<void> {
  await expect(page.getByText(/^(?:Updates: )?Live$/).first()).toBeVisible();
}
