/** Takes the pictures of the documentation: the page as it is, in a jam with the real model. Shell. */

import { mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, test } from "vitest";
import { CHROMIUM, FLAGS } from "./chromium.ts";
import { Service } from "./service.ts";

const FOLDER = fileURLToPath(new URL("../../../docs/pictures/", import.meta.url));
const DESKTOP = { width: 1280, height: 720 };
const PHONE = { width: 390, height: 780 };

let service: Service;
let browser: Browser;

beforeAll(async () => {
  mkdirSync(FOLDER, { recursive: true });
  service = await Service.start();
  browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
});
afterAll(async () => {
  await browser?.close();
  await service?.stop();
});

async function shown(viewport: { width: number; height: number }, colorScheme: "dark" | "light"): Promise<Page> {
  const page = await browser.newPage({ viewport, colorScheme, hasTouch: viewport === PHONE });
  page.setDefaultTimeout(120_000); // a picture waits for a machine that is busy
  await page.addInitScript(() => localStorage.setItem("sideman.visited", "1"));
  await page.goto(service.url);
  await page.waitForFunction(() => window.sideman?.store.state.connection === "open");
  return page;
}

/** The demo, until a plan with a change of chord in it is in sight. */
async function jamming(page: Page): Promise<void> {
  await page.evaluate(() => window.sideman.demo());
  await page.waitForFunction(() => {
    const { phase, next, beat } = window.sideman.store.state;
    return phase === "playing" && next !== null && (beat?.bar ?? 0) >= 5;
  });
}

test.each([
  ["jam", DESKTOP, "dark"],
  ["jam-light", DESKTOP, "light"],
  ["jam-phone", PHONE, "dark"],
] as const)("%s", async (name, viewport, scheme) => {
  const page = await shown(viewport, scheme);
  await jamming(page);
  await page.screenshot({ path: `${FOLDER}${name}.png` });
  await page.close();
});

test.each(["guide", "settings"] as const)("%s", async (dialog) => {
  const page = await shown(DESKTOP, "dark");
  await page.evaluate((name) => window.sideman.show(name), dialog);
  await page.screenshot({ path: `${FOLDER}${dialog}.png` });
  await page.close();
});

test("after", async () => {
  const page = await shown(DESKTOP, "dark");
  await jamming(page);
  await page.getByRole("button", { name: "Stop" }).click();
  await page.screenshot({ path: `${FOLDER}after.png` });
  await page.close();
});
