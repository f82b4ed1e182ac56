/** How fast sound and input are, as a table: `npm run -w web bench`. Nothing here fails for being slow. */

import { gzipSync } from "node:zlib";
import { build } from "vite";
import { test } from "vitest";
import { INSTRUMENTS } from "../src/contracts.ts";
import { type OpenWorkbench, openWorkbench } from "./harness.ts";

const PRESSES = 400;
const JAM_MINUTES = 30;
const FLAGS = ["--enable-precise-memory-info", "--js-flags=--expose-gc"];

test("sound and input", async () => {
  const workbench = await openWorkbench(FLAGS);
  const rows = [
    ...(await keyRows(workbench)),
    ["piano ready, file in hand", `${Math.round(await workbench.page.evaluate(() => globalThis.workbench.timeToReady("piano")))} ms`],
    ["piano, bytes to fetch", `${await size(workbench, "piano")}`],
    [
      "all instruments, bytes",
      `${(await Promise.all(INSTRUMENTS.map((each) => size(workbench, each)))).reduce((sum, each) => sum + each, 0)}`,
    ],
    ["sound + input + after, minified and gzipped", `${await codeSize()} bytes`],
    ...(await heapRows(workbench)),
  ];
  await workbench.close();
  console.log(["", "| what | measured |", "|---|---:|", ...rows.map(([what, measured]) => `| ${what} | ${measured} |`), ""].join("\n"));
}, 600_000);

async function keyRows({ page }: OpenWorkbench): Promise<string[][]> {
  await page.evaluate(() => globalThis.workbench.timeKeys());
  for (let i = 0; i < PRESSES; i++) await page.keyboard.press("asdfghjk".charAt(i % 8));
  const { fromEventMs, ownMs } = await page.evaluate(() => globalThis.workbench.keyTimes());
  return [
    [`key event to note scheduled, ${fromEventMs.length} presses, p50 / p99 / max`, spread(fromEventMs)],
    ["of that, our own code, p50 / p99 / max", spread(ownMs)],
  ];
}

async function heapRows({ page }: OpenWorkbench): Promise<string[][]> {
  const heap = await page.evaluate((minutes) => globalThis.workbench.heapOverJam(minutes), JAM_MINUTES);
  const megabytes = heap.map((bytes) => (bytes / 1e6).toFixed(2));
  return [[`heap every 5 minutes of a ${JAM_MINUTES}-minute jam, MB`, megabytes.join(", ")]];
}

function spread(values: readonly number[]): string {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]?.toFixed(2);
  return `${at(0.5)} / ${at(0.99)} / ${at(1)} ms`;
}

async function size({ page, url }: OpenWorkbench, instrument: string): Promise<number> {
  return (await (await page.request.get(`${url}instruments/${instrument}.sound`)).body()).length;
}

/** What these three folders add to the page: built alone, without the decoder that most browsers never fetch. */
async function codeSize(): Promise<number> {
  const result = await build({
    configFile: false,
    logLevel: "error",
    build: {
      write: false,
      target: "es2022",
      rollupOptions: { input: new URL("all.ts", import.meta.url).pathname, preserveEntrySignatures: "strict" },
    },
  });
  const outputs = "output" in result ? result.output : [];
  const entry = outputs.find((each) => each.type === "chunk" && each.isEntry);
  return entry?.type === "chunk" ? gzipSync(entry.code, { level: 9 }).length : 0;
}
