/** Takes the pictures of the documentation: the page as it is, in a jam with the real model. Shell. */

import { mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Page } from "playwright-core";
import { beforeAll, test } from "vitest";
import { theBrowser, theService } from "./visit.ts";

const FOLDER = process.env.PICTURES ?? fileURLToPath(new URL("../../../docs/pictures/", import.meta.url));
const DESKTOP = { width: 1280, height: 720 };
const PHONE = { width: 390, height: 780 };

beforeAll(() => void mkdirSync(FOLDER, { recursive: true }));

type Look = "dark" | "light" | "contrast";

async function shown(viewport: { width: number; height: number }, look: Look): Promise<Page> {
  const page = await (await theBrowser()).newPage({ viewport, hasTouch: viewport === PHONE });
  page.setDefaultTimeout(120_000); // a picture waits for a machine that is busy
  await page.addInitScript(() => localStorage.setItem("sideman.visited", "1"));
  await page.goto((await theService()).url);
  await page.waitForFunction(() => window.sideman?.store.state.connection === "open");
  await page.evaluate((theme) => window.sideman.change({ theme }), look);
  await page.waitForFunction(() => window.sideman.picture.painted.lagMs > 0);
  return page;
}

/** The demo, until a plan with a change of chord in it is in sight. */
async function jamming(page: Page): Promise<void> {
  await page.evaluate(() => window.sideman.demo());
  await page.waitForFunction(() => {
    const { phase, chord, next, beat } = window.sideman.store.state;
    return phase === "playing" && chord !== "N" && next !== null && (beat?.bar ?? 0) >= 5;
  });
}

test.each([
  ["jam", DESKTOP, "dark", "none"],
  ["jam-light", DESKTOP, "light", "none"],
  ["jam-contrast", DESKTOP, "contrast", "none"],
  ["settings", DESKTOP, "dark", "settings"],
  ["jam-phone", PHONE, "dark", "none"],
  ["settings-phone", PHONE, "light", "settings"],
] as const)("%s", async (name, viewport, look, dialog) => {
  const page = await shown(viewport, look);
  await jamming(page);
  await page.evaluate((each) => window.sideman.show(each), dialog);
  await page.screenshot({ path: `${FOLDER}/${name}.png` });
  if (name === "jam") {
    await page.getByRole("button", { name: "Stop" }).click();
    await page.screenshot({ path: `${FOLDER}/after.png` });
  }
  await page.close();
});

test.each([
  ["guide", DESKTOP],
  ["guide-phone", PHONE],
] as const)("%s", async (name, viewport) => {
  const page = await shown(viewport, "dark");
  await page.evaluate(() => window.sideman.show("guide"));
  await page.waitForTimeout(1_000); // what is painted elsewhere comes with one of the next refreshes
  await page.screenshot({ path: `${FOLDER}/${name}.png` });
  await page.close();
});
