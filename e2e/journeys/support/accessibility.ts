import AxeBuilder from '@axe-core/playwright';
import { expect, type Page } from '@playwright/test';
import { picture } from './journey.ts';

/**
 * The page as it stands breaks no rule of WCAG 2.2 AA that a program can check, in light and in dark, and does not
 * scroll sideways on a phone. Every finding is reported, none stops the journey. Leaves the window narrow.
 */
export async function expectAccessible(page: Page, name: string): Promise<void> {
  for (const scheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme: scheme });
    await picture(page, `${name}-${scheme}`);
    // Parts of a page come alive one after the other, and a name may only then be complete: what is wrong must stay.
    await expect
      .configure({ soft: true })
      .poll(() => findViolations(page, scheme), { message: `${name}, ${scheme}`, timeout: 6_000 })
      .toEqual([]);
  }
  await expectNoSidewaysScroll(page, name);
}

export async function expectNoSidewaysScroll(page: Page, name: string): Promise<void> {
  await page.setViewportSize({ width: 320, height: 640 });
  const overflow = await page.evaluate(
    () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
  );
  expect.soft(overflow, `${name} at 320 px`).toBeLessThanOrEqual(0);
}

async function findViolations(page: Page, scheme: 'light' | 'dark'): Promise<string[]> {
  // No page has frames; without this every look opens a window of its own to gather what frames found.
  const axe = new AxeBuilder({ page }).setLegacyMode(true);
  // A scheme changes colours and nothing else, so that the second one is asked about those alone.
  const found = await (scheme === 'light'
    ? axe.withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'])
    : axe.withRules(['color-contrast', 'link-in-text-block'])
  ).analyze();
  return found.violations.flatMap(({ id, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${id}: ${html.slice(0, 160)} ${failureSummary}`),
  );
}
