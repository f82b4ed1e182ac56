/** How fast the page is, as a table: what it weighs, how long a picture takes, what a key press costs, what half an hour leaves behind. Shell. */

import { readdirSync, readFileSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { type Browser, chromium } from "playwright-core";
import { afterAll, beforeAll, test } from "vitest";
import { CHROMIUM, FLAGS } from "./chromium.ts";
import { openWorkbench } from "./harness.ts";
import { playTune, plugInKeyboard } from "./player.ts";
import { Service } from "./service.ts";

const PAGE = fileURLToPath(new URL("../../../sideman/page/", import.meta.url));
const rows: (readonly [what: string, measured: string, budget: string])[] = [];

let service: Service;
let browser: Browser;

beforeAll(async () => {
  service = await Service.start();
  browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
});
afterAll(async () => {
  await browser?.close();
  await service?.stop();
  const lines = rows.map((row) => `| ${row.join(" | ")} |`);
  console.log(["| | measured | budget |", "|---|---:|---:|", ...lines].join("\n"));
});

interface Measured {
  readonly paintings: readonly { readonly drawMs: number; readonly lagMs: number }[];
  readonly presses: readonly number[];
}

/** One row, told at once: a benchmark that is stopped has said what it had. */
function tell(row: (typeof rows)[number]): void {
  rows.push(row);
  console.log(row.join(": "));
}

const kB = (bytes: number) => `${(bytes / 1000).toFixed(1)} kB`;
const quantile = (values: readonly number[], share: number) =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length * share)] ?? Number.NaN;

test("weight", () => {
  const scripts = readdirSync(`${PAGE}assets`).filter((name) => name.endsWith(".js"));
  const weight = (names: readonly string[]) => names.reduce((sum, name) => sum + gzipSync(readFileSync(`${PAGE}assets/${name}`)).length, 0);
  const isDecoder = (name: string) => name.startsWith("own_decoder");
  const isPlanner = (name: string) => name.startsWith("planner");
  tell(["JavaScript of the app, gzip", kB(weight(scripts.filter((name) => !isDecoder(name) && !isPlanner(name)))), "60 kB"]);
  tell(["more in idle time, with the page's own planner", kB(weight(scripts.filter(isPlanner))), ""]);
  tell(["more for browsers without Vorbis (Safari)", kB(weight(scripts.filter(isDecoder))), ""]);
  tell(["first sound (grand piano)", kB(statSync(`${PAGE}instruments/piano.sound`).size), "700 kB"]);
});

test("a jam", async () => {
  const page = await browser.newPage({ viewport: { width: 1280, height: 720 } });
  await plugInKeyboard(page);
  await page.goto(`${service.url}#bpm=120&silence_beats=2`);
  await page.waitForFunction(() => Object.values(window.sideman.store.state.instruments).every((state) => state === "ready"));
  await page.evaluate(() => {
    window.sideman.show("none");
    window.sideman.openMidi();
    window.sideman.toggle();
  });
  await page.waitForFunction(() => window.sideman.store.state.phase === "armed");
  await page.evaluate(() => {
    const paintings = new Set<{ drawMs: number; lagMs: number }>();
    const presses: number[] = [];
    setInterval(() => paintings.add(window.sideman.picture.painted), 200);
    const { sound } = window.sideman;
    const noteOn = sound.noteOn.bind(sound);
    sound.noteOn = (...note) => {
      noteOn(...note);
      const { event } = window;
      if (event instanceof KeyboardEvent) presses.push(performance.now() - event.timeStamp);
    };
    Object.assign(window, { measured: () => ({ paintings: [...paintings].slice(1), presses }) });
  });
  const playing = playTune(page, 28);
  for (let press = 0; press < 110; press++) {
    await page.keyboard.press("asdfghjk"[press % 8] as string);
    await page.waitForTimeout(200); // a player's pace
  }
  await playing;
  const { paintings, presses } = await page.evaluate(() => (window as unknown as { measured(): Measured }).measured());
  const mean = paintings.reduce((sum, { drawMs }) => sum + drawMs, 0) / paintings.length;
  const lags = paintings.map(({ lagMs }) => lagMs);
  tell(["a picture in a jam, mean", `${mean.toFixed(2)} ms`, "2 ms"]);
  tell(["from asking for it to having it, the longest of 60, median", `${quantile(lags, 0.5).toFixed(2)} ms`, ""]);
  tell(["key press to sound given to the audio clock, p50", `${quantile(presses, 0.5).toFixed(2)} ms`, "5 ms"]);
  tell(["the same, p95", `${quantile(presses, 0.95).toFixed(2)} ms`, ""]);
  await page.close();
});

test("half an hour", async () => {
  const workbench = await openWorkbench();
  const { page } = workbench;
  await page.setViewportSize({ width: 1280, height: 720 });
  await page.goto(`${workbench.url}browser/half_hour.html`);
  await page.waitForFunction(() => "simulation" in globalThis);
  const session = await page.context().newCDPSession(page);
  const heapBytes = async () => {
    await session.send("HeapProfiler.collectGarbage");
    return (await session.send("Runtime.getHeapUsage")).usedSize;
  };
  const advance = (minutes: number) => page.evaluate((each) => globalThis.simulation.advance(each), minutes);
  await advance(5);
  const before = await heapBytes();
  for (let part = 0; part < 5; part++) await advance(5);
  const after = await heapBytes();
  tell(["heap after 5 minutes of a jam", `${(before / 1e6).toFixed(2)} MB`, ""]);
  tell(["heap after 30 minutes", `${(after / 1e6).toFixed(2)} MB`, "flat"]);
  const kept = Object.entries(await page.evaluate(() => globalThis.simulation.kept()));
  tell(["kept of it, for files and resuming", kept.map(([what, count]) => `${count} ${what}`).join(", "), ""]);
  await workbench.close();
});
