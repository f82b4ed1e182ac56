/** The page's own planner in the real page: a service that dies in mid-jam, one that was never there, and how long a plan takes. Shell. */

import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { fileURLToPath } from "node:url";
import type { BrowserContext, Page } from "playwright-core";
import { afterEach, beforeAll, expect, test } from "vitest";
import { playTune, plugInKeyboard, stopTune } from "./player.ts";
import { theBrowser, theService, theServiceIsThere } from "./visit.ts";

const BUILT = fileURLToPath(new URL("../../../sideman/page/", import.meta.url));
const POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; worker-src 'self'";
const TYPES: Readonly<Record<string, string>> = { html: "text/html", js: "text/javascript", css: "text/css", json: "application/json" };

let context: BrowserContext;
let page: Page;

beforeAll(theServiceIsThere);
afterEach(() => context.close());

async function open(url: string): Promise<void> {
  context = await (await theBrowser()).newContext({ viewport: { width: 1280, height: 720 } });
  page = await context.newPage();
  await plugInKeyboard(page);
  await page.addInitScript(() => localStorage.setItem("sideman.visited", "1"));
  await page.goto(`${url}#bpm=120&silence_beats=2`);
  await page.waitForFunction(() => window.sideman?.store.state.connection === "open", null, { timeout: 30_000 });
  await page.evaluate(() => window.sideman.openMidi());
}

/** Starts a jam, plays for so many seconds, and keeps the plans that come. */
async function jam(seconds: number): Promise<void> {
  await page.evaluate(() => {
    const plans: unknown[] = [];
    Object.assign(window, { plans });
    const { performer } = window.sideman;
    const receive = performer.receive.bind(performer);
    performer.receive = (message, nowS) => {
      if (message.type === "plan") plans.push({ frame: performer.frame, first: message.first_frame, timing: message.timing });
      receive(message, nowS);
    };
  });
  await page.keyboard.press("Space");
  await page.waitForFunction(() => window.sideman.store.state.phase === "armed");
  await playTune(page, seconds);
}

interface Told {
  readonly frame: number;
  readonly first: number;
  readonly timing: { readonly device_ms: number; readonly steps: number };
}

const plansTold = () => page.evaluate(() => (window as unknown as { plans: Told[] }).plans);

/** A host of files, as any web server is: no gateway behind it, the service's rules of what a page may load. */
async function staticHost(): Promise<{ url: string; host: Server; asked: string[] }> {
  const asked: string[] = [];
  const host = createServer((request, response) => {
    const name = new URL(request.url ?? "/", "http://page").pathname.slice(1) || "index.html";
    asked.push(name);
    try {
      const body = readFileSync(BUILT + name);
      const type = TYPES[name.split(".").at(-1) ?? ""] ?? "application/octet-stream";
      const cache = name.endsWith(".bin") ? "public, max-age=31536000, immutable" : "no-cache"; // as the gateway does
      response.writeHead(200, { "content-type": type, "content-security-policy": POLICY, "cache-control": cache }).end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise<void>((listening) => host.listen(0, "127.0.0.1", listening));
  const address = host.address();
  if (address === null || typeof address === "string") throw new Error("a TCP server has a port");
  return { url: `http://127.0.0.1:${address.port}/`, host, asked };
}

test("where there is no service at all, the page plans by itself, says so, and chords sound", async () => {
  const { url, host, asked } = await staticHost();
  try {
    await open(url);
    await page.getByText("A small model in this page plans until it does.").waitFor();
    await jam(8);
    const state = await page.evaluate(() => {
      const { store, client, performer } = window.sideman;
      const frames = [...performer.jam.frames];
      return { ...store.state, welcome: client.welcome?.session, planned: frames.filter((each) => each.planned && each.struck).length };
    });
    expect(state).toMatchObject({ isOnPage: true, connection: "open", welcome: "page" });
    expect(state.planned).toBeGreaterThan(0);
    const plans = await plansTold();
    expect(plans.length).toBeGreaterThan(20);
    console.log(report("in the page", plans));

    const numFetched = () => asked.filter((name) => name.endsWith(".bin")).length;
    expect(numFetched()).toBe(1);
    await page.waitForFunction(async () => (await (await caches.open("sideman-planner")).keys()).length === 1);
    await page.reload();
    await page.waitForFunction(() => window.sideman?.store.state.isOnPage, null, { timeout: 30_000 });
    expect(numFetched()).toBe(1); // a later visit has them
  } finally {
    host.close();
  }
}, 120_000);

test("a service that dies in mid-jam: the page plans on after some tries, and gives back when the service is there again", async () => {
  const service = await theService();
  await open(service.url);
  const playing = jam(60);
  await page.waitForFunction(() => window.sideman?.store.state.chord !== "N", null, { timeout: 30_000 });
  await page.waitForFunction(() => (window as unknown as { plans: Told[] }).plans.length > 8);
  expect(await page.evaluate(() => window.sideman.store.state.isOnPage)).toBe(false);
  await page.waitForFunction(() => window.sideman.store.state.isPrepared);
  await service.killGateway();
  await page.waitForFunction(() => window.sideman.store.state.isOnPage, null, { timeout: 20_000 });
  const before = (await plansTold()).length;
  await page.waitForFunction((count) => (window as unknown as { plans: Told[] }).plans.length > count + 8, before);
  const seed = await page.evaluate(() => window.sideman.performer.jam.seed);
  await service.startGateway();
  await page.waitForFunction(() => !window.sideman.store.state.isOnPage && window.sideman.store.state.connection === "open", null, {
    timeout: 20_000,
  });
  await page.waitForFunction(() => window.sideman.performer.jam.frames.at(-1)?.planned);
  await stopTune(page);
  await playing;
  const heard = await page.evaluate(() => {
    const { jam } = window.sideman.performer;
    const frames = [...jam.frames];
    const first = frames.findIndex((each) => each.symbol !== "N");
    return {
      isWhole: frames.every((each, index) => each.frame === index),
      silent: frames.slice(first).filter((each) => each.symbol === "N").length,
      isPlanned: frames.at(-1)?.planned,
      seed: jam.seed,
      session: window.sideman.client.welcome?.session,
    };
  });
  expect(heard).toMatchObject({ isWhole: true, silent: 0, isPlanned: true, seed });
  expect(heard.session).not.toBe("page");
}, 240_000);

function report(what: string, plans: readonly Told[]): string {
  const ms = plans.map((plan) => plan.timing.device_ms).toSorted((a, b) => a - b);
  const steps = plans.reduce((sum, plan) => sum + plan.timing.steps, 0);
  const at = (share: number) => ms[Math.min(ms.length - 1, Math.floor(share * ms.length))]?.toFixed(1);
  return `${what}: ${plans.length} plans, p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, ${(steps / plans.length).toFixed(1)} steps a plan`;
}
