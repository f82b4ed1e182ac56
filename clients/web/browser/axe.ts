/** What axe-core finds wrong with a page as it is. Shell. */

import axe from "axe-core";
import type { Page } from "playwright-core";

const COLOURS = ["color-contrast", "link-in-text-block"];

/** The rules that are broken, of all or of those of some kind, and where. The page's policy forbids a script tag; evaluating is not one. */
export async function violations(page: Page, kind: "all" | "colours" = "all"): Promise<string[]> {
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate(
    (rules) => (window as unknown as { axe: typeof axe }).axe.run(document, rules === null ? {} : { runOnly: rules }),
    kind === "all" ? null : COLOURS,
  );
  return violations.map((each) => `${each.id}: ${each.nodes.map((node) => node.target).join(" ")}`);
}
