/** One service and one Chromium for all tests of a run, and visits to the page in it. They end with the process: see `vitest.config.ts`. Shell. */

import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import type { App } from "../src/app.ts";
import { CHROMIUM, FLAGS } from "./chromium.ts";
import { plugInKeyboard } from "./player.ts";
import { Service } from "./service.ts";

declare global {
  interface Window {
    sideman: App;
  }
}

let service: Promise<Service> | null = null;
let browser: Promise<Browser> | null = null;

/** The service, started when the first test asks for it. Whoever kills its gateway starts it again. */
export async function theService(): Promise<Service> {
  service ??= Service.start();
  const there = await service;
  if (!there.isServing) await there.startGateway();
  return there;
}

/** For `beforeAll`: the first start takes longer than a test may. */
export async function theServiceIsThere(): Promise<void> {
  await theService();
}

export function theBrowser(): Promise<Browser> {
  browser ??= chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
  return browser;
}

export interface Visit {
  readonly page: Page;
  readonly context: BrowserContext;
  readonly service: Service;
  readonly problems: string[]; // what the page complained of
  readonly addresses: string[]; // what it asked for
}

/** The page, not for the first time, connected and with its instruments; `before` runs in it before the app does. */
export async function visit(
  options: Parameters<Browser["newContext"]>[0] = {},
  hash = "#bpm=120&silence_beats=4",
  before?: () => void,
): Promise<Visit> {
  const [service, browser] = await Promise.all([theService(), theBrowser()]);
  const context = await browser.newContext({ viewport: { width: 1280, height: 720 }, colorScheme: "dark", ...options });
  const page = await context.newPage();
  const [problems, addresses]: [string[], string[]] = [[], []];
  page.on("pageerror", (problem) => problems.push(problem.message));
  page.on("console", (message) => message.type() === "error" && problems.push(message.text()));
  page.on("request", (request) => addresses.push(request.url()));
  await plugInKeyboard(page);
  if (before !== undefined) await page.addInitScript(before);
  await page.addInitScript(() => localStorage.setItem("sideman.visited", "1"));
  await page.goto(service.url + hash);
  await page.waitForFunction(() => window.sideman?.store.state.connection === "open");
  await page.waitForFunction(() => Object.values(window.sideman.store.state.instruments).every((state) => state === "ready"));
  return { page, context, service, problems, addresses };
}

/** Keys that are lit, and notes that have not ended. */
export function heldNotes(page: Page): Promise<{ lit: number[]; open: number }> {
  return page.evaluate(() => {
    const { notes } = window.sideman.performer.performance;
    return { lit: [...window.sideman.picture.lights], open: notes.filter((note) => note.endS === null).length };
  });
}
