/** What axe-core finds wrong with a page as it is. Shell. */

import axe from "axe-core";
import type { Page } from "playwright-core";

/** The rules that are broken, and where. The page's policy forbids a script tag; evaluating is not one. */
export async function violations(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate(() => (window as unknown as { axe: typeof axe }).axe.run());
  return violations.map((each) => `${each.id}: ${each.nodes.map((node) => node.target).join(" ")}`);
}
