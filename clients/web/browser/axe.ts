/** What axe-core finds wrong with a page as it is. Shell. */

import axe from "axe-core";
import type { Page } from "playwright-core";

/** The rules that are broken, of all or of those of some kind, and where. The page's policy forbids a script tag; evaluating is not one. */
export async function violations(page: Page, kind: "all" | "cat.color" = "all"): Promise<string[]> {
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate(
    (tag) => (window as unknown as { axe: typeof axe }).axe.run(document, tag === "all" ? {} : { runOnly: [tag] }),
    kind,
  );
  return violations.map((each) => `${each.id}: ${each.nodes.map((node) => node.target).join(" ")}`);
}
