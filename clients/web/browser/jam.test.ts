/** The page in a real browser against a real gateway and worker: a scripted player, a lost server, a reload, files, keys and rules. */

import { readFileSync } from "node:fs";
import toneMidi from "@tonejs/midi";
import axe from "axe-core";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { parseSession } from "../src/after/session.ts";
import type { App } from "../src/app.ts";
import type { SessionRecord } from "../src/contracts.ts";
import { CHROMIUM, FLAGS } from "./chromium.ts";
import { playTune, plugInKeyboard } from "./player.ts";
import { Service } from "./service.ts";

declare global {
  interface Window {
    sideman: App;
  }
}

let service: Service;
let browser: Browser;
let context: BrowserContext;
let page: Page;
let problems: string[];
let addresses: string[];

beforeAll(async () => {
  [service, browser] = await Promise.all([Service.start(), chromium.launch({ executablePath: CHROMIUM, args: FLAGS })]);
}, 180_000);
afterAll(async () => {
  await browser?.close();
  await service?.stop();
});

/** `before` runs in the page before the app does. */
async function open(
  options: Parameters<Browser["newContext"]>[0] = {},
  hash = "#bpm=120&silence_beats=4",
  before?: () => void,
): Promise<void> {
  context = await browser.newContext({ viewport: { width: 1280, height: 720 }, colorScheme: "dark", ...options });
  page = await context.newPage();
  problems = [];
  addresses = [];
  page.on("pageerror", (problem) => problems.push(problem.message));
  page.on("console", (message) => message.type() === "error" && problems.push(message.text()));
  page.on("request", (request) => addresses.push(request.url()));
  await plugInKeyboard(page);
  if (before !== undefined) await page.addInitScript(before);
  await page.addInitScript(() => localStorage.setItem("sideman.visited", "1"));
  await page.goto(service.url + hash);
  await page.waitForFunction(() => window.sideman?.store.state.connection === "open");
  await page.waitForFunction(() => Object.values(window.sideman.store.state.instruments).every((state) => state === "ready"));
}

beforeEach(() => {
  problems = [];
});
afterEach(async () => {
  await context?.close();
});

/** What axe-core finds wrong with the page as it is. The page's policy forbids a script tag; evaluating is not one. */
async function broken(): Promise<string[]> {
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate(() => (window as unknown as { axe: typeof axe }).axe.run());
  return violations.map((each) => `${each.id}: ${each.nodes.map((node) => node.target).join(" ")}`);
}

/** Keys that are lit, and notes that have not ended. */
function heldNotes(): Promise<{ lit: number[]; open: number }> {
  return page.evaluate(() => {
    const { notes } = window.sideman.performer.performance;
    return { lit: [...window.sideman.picture.lights], open: notes.filter((note) => note.endS === null).length };
  });
}

/** Waits until the scripted player's jam sounds chords. */
async function untilChords(): Promise<void> {
  await page.waitForFunction(() => window.sideman.store.state.phase === "playing" && window.sideman.store.state.chord !== "N", null, {
    timeout: 20_000,
  });
}

/** Keys that were lit by a chord: for which moment the picture was drawn, for which the one before, and when the chord was due. */
interface LightChange {
  readonly drawnBeforeS: number;
  readonly drawnForS: number;
  readonly dueS: number;
  readonly wasSeenFalling: boolean;
}

describe("a jam", () => {
  test("thirty seconds: chords come, fall, sound and light their keys on time, and the files of it can be read", async () => {
    await open({}, "#bpm=120&silence_beats=4&density=lively");
    await page.evaluate(() => window.sideman.openMidi());
    await page.getByRole("button", { name: "Start" }).first().click();
    await page.waitForFunction(() => window.sideman.store.state.phase === "armed");
    await watchLights();
    await playTune(page, 30);
    const seen = await lightsSeen();
    const state = await page.evaluate(() => {
      const { jam, grid } = window.sideman.performer;
      const changes = [...jam.frames].filter((each) => each.struck).map((each) => each.frame);
      return { frames: jam.frames.length, changes, originS: grid?.originS ?? 0, notes: jam.melody.length, late: jam.lateFrames };
    });
    expect(state.frames).toBeGreaterThanOrEqual(29 / 0.125);
    expect(state.notes).toBeGreaterThanOrEqual(20);
    expect(state.changes.length).toBeGreaterThanOrEqual(2); // each session has a seed of its own, and some like to stay on a chord
    expect(seen.length).toBeGreaterThanOrEqual(2);
    // Lit in the first picture that is drawn for a moment at or after its own, however many pictures a busy machine leaves out; and
    // pictures come every 17 ms where it leaves none out, so that is within 20 ms.
    const early = seen.filter((each) => each.drawnForS < each.dueS - 0.001);
    const late = seen.filter((each) => each.drawnBeforeS >= each.dueS + 0.001);
    expect({ early, late }).toEqual({ early: [], late: [] });
    console.log(`lit keys: ${seen.map((each) => Math.round((each.drawnForS - each.dueS) * 1000)).join(", ")} ms after their time`);
    expect(await page.evaluate(() => window.sideman.picture.painted.drawMs)).toBeGreaterThan(0); // in its own thread
    const fell = seen.filter((each) => each.wasSeenFalling).length;
    expect(fell).toBeGreaterThanOrEqual(seen.length - 1);

    expect(addresses.some((address) => address.endsWith(".bin"))).toBe(true); // the page's own planner, in idle time
    await page.getByRole("button", { name: "Stop" }).click();
    await checkFiles(state.changes.length);
    expect(problems).toEqual([]);
  }, 90_000);

  /** Notes, at every picture, which keys the chords light and for which moment it was drawn. */
  async function watchLights(): Promise<void> {
    await page.evaluate(() => {
      const { sideman } = window;
      const changes: LightChange[] = [];
      let beforeS = 0;
      const falling = new Set<number>();
      let lit = "";
      const look = () => {
        const { grid } = sideman.performer;
        const { chords, lit: now, nowS } = sideman.picture.shown;
        if (grid !== null && sideman.performer.phase !== "armed") {
          const position = grid.position(nowS);
          for (const span of chords) if (span.start > position + 1) falling.add(span.start);
          const key = now.join();
          if (key !== lit && key !== "") {
            const span = chords.find((each) => each.start <= position && position < each.end);
            const first =
              span === undefined ? undefined : [...sideman.performer.jam.frames].findLast((each) => each.frame <= position && each.struck);
            if (first !== undefined) {
              const dueS = grid.timeS(first.frame);
              changes.push({ drawnBeforeS: beforeS, drawnForS: nowS, dueS, wasSeenFalling: falling.has(first.frame) });
            }
          }
          lit = key;
          beforeS = nowS;
        }
        requestAnimationFrame(look);
      };
      requestAnimationFrame(look);
      Object.assign(window, { lightChanges: changes });
    });
  }

  function lightsSeen(): Promise<LightChange[]> {
    return page.evaluate(() => (window as unknown as { lightChanges: LightChange[] }).lightChanges);
  }

  async function saved(button: string): Promise<Buffer> {
    const [download] = await Promise.all([
      page.waitForEvent("download", { timeout: 60_000 }),
      page.locator(`[data-action="${button}"]`).click(),
    ]);
    return readFileSync(await download.path());
  }

  async function checkFiles(numChanges: number): Promise<void> {
    const midi = new toneMidi.Midi(await saved("midi-file"));
    expect(midi.header.tempos[0]?.bpm).toBeCloseTo(120);
    expect(midi.tracks.filter((track) => track.notes.length > 0)).toHaveLength(2);
    const record = parseSession((await saved("json-file")).toString("utf8"));
    expect(record.chords.filter((chord) => chord.onset && chord.symbol !== "N").length).toBe(numChanges);
    expect(record.melody.length).toBeGreaterThanOrEqual(20);
    await checkOpening(record);
    const wav = await saved("wav-file");
    expect(wav.subarray(0, 4).toString()).toBe("RIFF");
    expect(wav.length).toBeGreaterThan(44_100 * 2 * 25);
  }

  /** What was saved opens again, and what is no session says so. */
  async function checkOpening(record: SessionRecord): Promise<void> {
    const open = async (text: string) => {
      await page.evaluate(() => window.sideman.show("settings"));
      await page.locator("input[type=file]").setInputFiles({ name: "jam.json", mimeType: "application/json", buffer: Buffer.from(text) });
    };
    await open("{}");
    await page.getByText("This file cannot be opened: expected").waitFor();
    await page.evaluate(() => window.sideman.store.set({ record: null }));
    await open(JSON.stringify(record));
    await page.waitForFunction(() => window.sideman.store.state.dialog === "after");
    expect(await page.evaluate(() => window.sideman.store.state.record)).toEqual(record);
  }

  test("a server that is killed and comes back leaves no gap: the plan plays on, and history resumes it", async () => {
    await open();
    await page.evaluate(() => Object.assign(window, { Worker: null })); // the page's own planner cannot be had
    await page.evaluate(() => window.sideman.openMidi());
    await page.keyboard.press("Space");
    await page.waitForFunction(() => window.sideman.store.state.phase === "armed");
    const playing = playTune(page, 22);
    await untilChords();
    const before = await page.evaluate(() => window.sideman.performer.jam.frames.length);
    await service.killGateway();
    await page.getByText("Connection lost. The plan plays on.").waitFor();
    await page.waitForTimeout(3_000); // so long the player is alone: the subject of this test
    await service.startGateway();
    await page.getByText("Connected again. Nothing was lost.").waitFor({ timeout: 30_000 });
    await playing;
    const heard = await page.evaluate((from) => {
      const { jam } = window.sideman.performer;
      const lastPlanned = jam.frames.findLastIndex((each) => each.planned);
      return {
        isWhole: [...jam.frames].every((each, index) => each.frame === index),
        alone: jam.frames.slice(from).filter((each) => !each.planned).length > 8,
        silent: jam.frames.slice(from).filter((each) => !each.planned && each.symbol === "N").length,
        resumed: lastPlanned >= jam.frames.length - 8,
        reconnects: window.sideman.client.reconnects,
        isLateTold: window.sideman.store.state.lateFrames > 0,
      };
    }, before);
    expect(heard).toEqual({ isWhole: true, alone: true, silent: 0, resumed: true, reconnects: 1, isLateTold: true });
  }, 90_000);

  test("a reload interrupts no jam: it can be gone on with where it was; who saves data has no planner fetched for it", async () => {
    await open({}, undefined, () => Object.defineProperty(navigator, "connection", { value: { saveData: true } }));
    await page.evaluate(() => window.sideman.openMidi());
    await page.keyboard.press("Space");
    await page.waitForFunction(() => window.sideman.store.state.phase === "armed");
    await playTune(page, 6);
    await untilChords();
    const before = await page.evaluate(() => ({
      frames: window.sideman.performer.jam.frames.length,
      seed: window.sideman.performer.jam.seed,
    }));
    await page.reload();
    await page.getByRole("button", { name: "Go on with the jam" }).click();
    await page.waitForFunction((frames) => window.sideman.performer.jam.frames.length > frames + 24, before.frames, { timeout: 20_000 });
    const after = await page.evaluate(() => {
      const { jam } = window.sideman.performer;
      return { seed: jam.seed, notes: jam.melody.length, plan: jam.plan?.chords.at(0)?.start ?? 0, chord: jam.frames.at(-1)?.symbol };
    });
    expect(after.seed).toBe(before.seed);
    expect(after.notes).toBeGreaterThanOrEqual(4);
    expect(after.plan).toBeGreaterThan(before.frames);
    expect(after.chord).not.toBe("N");
    expect(addresses.filter((address) => address.endsWith(".bin"))).toEqual([]);
    expect(problems).toEqual([]);
  }, 60_000);

  test("the demo plays by itself, and its melody can be harmonised and replayed", async () => {
    await open();
    await page.locator('[data-action="demo"]').click();
    await untilChords();
    expect(await broken()).toEqual([]);
    await page.getByRole("button", { name: "Stop" }).click();
    expect(await broken()).toEqual([]);
    expect(await heldNotes()).toEqual({ lit: [], open: 0 });
    const chords = await page.evaluate(() => window.sideman.store.state.record?.chords);
    await page.getByRole("button", { name: "Harmonise my melody" }).click();
    await page.getByText("New chords for the whole melody.").waitFor({ timeout: 40_000 });
    expect(await page.evaluate(() => window.sideman.store.state.record?.chords)).not.toEqual(chords);
    await page.locator('[data-action="replay"]').click();
    await page.waitForFunction(() => window.sideman.picture.shown.lit.length > 0);
    await page.getByRole("button", { name: "Stop" }).click();
    expect(await heldNotes()).toEqual({ lit: [], open: 0 });
  }, 90_000);
});

describe("playing without a MIDI keyboard", () => {
  const heldDown = () => page.evaluate(() => [...window.sideman.picture.lights].toSorted());

  test("letters are keys, two octaves of them; an octave shift leaves no key down", async () => {
    await open();
    await page.keyboard.down("a");
    expect(await heldDown()).toEqual([60]);
    await page.keyboard.press("x");
    await page.keyboard.up("a");
    expect(await heldDown()).toEqual([]);
    await page.keyboard.down("a");
    expect(await heldDown()).toEqual([72]);
    await page.keyboard.up("a");
  });

  test("letters in a field are no notes", async () => {
    await open();
    await page.locator('.bar [data-setting="bpm"]').focus();
    await page.keyboard.down("a");
    expect(await heldDown()).toEqual([]);
  });

  test("a finger glides over the keys of the phone's own piano", async () => {
    await open({ viewport: { width: 390, height: 780 }, hasTouch: true, isMobile: true });
    const box = await page.locator("#hands").boundingBox();
    if (box === null) throw new Error("a phone has its own keys");
    const y = box.y + box.height * 0.9;
    await page.mouse.move(box.x + 20, y);
    await page.mouse.down();
    expect(await heldDown()).toEqual([60]);
    await page.mouse.move(box.x + 70, y, { steps: 4 });
    expect(await heldDown()).toEqual([62]);
    await page.mouse.up();
    expect(await heldDown()).toEqual([]);
  });
});

describe("rules", () => {
  test("nothing loads from another host, and the page could not if it wanted to", async () => {
    await open();
    const origin = new URL(service.url).origin;
    expect(addresses.length).toBeGreaterThan(4);
    expect(addresses.filter((address) => new URL(address).origin !== origin)).toEqual([]);
    const isBlocked = await page.evaluate(() =>
      fetch("https://example.com/").then(
        () => false,
        () => true,
      ),
    );
    expect(isBlocked).toBe(true);
    expect(problems.some((problem) => problem.includes("Content Security Policy"))).toBe(true);
  });

  test.each(["dark", "light", "contrast"] as const)(
    "accessible in %s: page, guide, settings, shortcuts",
    async (theme) => {
      await open({ reducedMotion: theme === "contrast" ? "reduce" : "no-preference" });
      await page.evaluate((chosen) => window.sideman.change({ theme: chosen }), theme);
      expect(await page.evaluate(() => window.sideman.picture.shown.isCalm)).toBe(theme === "contrast");
      for (const dialog of ["none", "guide", "settings", "help", "calibrate"] as const) {
        await page.evaluate((name) => window.sideman.show(name), dialog);
        expect(await broken(), dialog).toEqual([]);
      }
    },
    60_000,
  );

  test("on a phone everything to be touched is at least 44 pixels", async () => {
    await open({ viewport: { width: 390, height: 780 }, hasTouch: true, isMobile: true });
    await page.evaluate(() => window.sideman.show("settings"));
    const small = await page.evaluate(() =>
      [...document.querySelectorAll("button, select, summary, input[type=number], input[type=range], input[type=file], label.flag")]
        .map((element) => ({ name: element.outerHTML.slice(0, 80), box: element.getBoundingClientRect() }))
        .filter(({ box }) => box.width > 0 && (box.height < 44 || box.width < 44))
        .map(({ name, box }) => `${name} ${box.width}x${box.height}`),
    );
    expect(small).toEqual([]);
  });

  test("the whole page speaks German too, and paints where no thread can", async () => {
    await open({}, undefined, () => Reflect.deleteProperty(HTMLCanvasElement.prototype, "transferControlToOffscreen"));
    await page.evaluate(() => window.sideman.change({ language: "de" }));
    await page.getByText("Du spielst die Melodie. Sideman spielt die Akkorde.").waitFor();
    expect(await page.evaluate(() => document.documentElement.lang)).toBe("de");
    const colours = await page.evaluate(() => {
      const canvas = document.querySelector<HTMLCanvasElement>("#strip canvas");
      const { data } = canvas?.getContext("2d")?.getImageData(0, canvas.height - 40, canvas.width, 1) ?? { data: [] };
      return new Set(data).size;
    });
    expect(colours).toBeGreaterThan(2);
  });

  test("tempo by keys, wheel, buttons and taps; every metre; moods; silence", async () => {
    await open();
    const setting = (name: "bpm" | "temperature" | "lookahead_beats" | "commit_beats") =>
      page.evaluate((each) => window.sideman.store.state.settings[each], name);
    await page.keyboard.press("ArrowUp");
    expect(await setting("bpm")).toBe(121);
    await page.locator(".bar .tempo").hover();
    await page.mouse.wheel(0, -100);
    await page.waitForFunction(() => window.sideman.store.state.settings.bpm === 122);
    await page.locator(".bar").getByRole("button", { name: "Tempo −1" }).click();
    expect(await setting("bpm")).toBe(121);
    const tap = () => page.locator(".bar .tap").click();
    await tap();
    await page.waitForTimeout(600); // between two taps: the subject
    await tap();
    expect(await setting("bpm")).toBeLessThan(101);

    const metre = page.locator('.bar [data-setting="beats_per_bar"]');
    const all = await metre.locator("option").evaluateAll((options) => options.map((each) => Number((each as HTMLOptionElement).value)));
    expect(all).toEqual([2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    await metre.selectOption("7");
    await page.waitForFunction(() => window.sideman.performer.jam.settings.beats_per_bar === 7);
    await page.locator('.bar [data-setting="preset"]').selectOption("calm");
    expect([await setting("temperature"), await setting("lookahead_beats"), await setting("commit_beats")]).toEqual([0.5, 8, 4]);

    await page.keyboard.down("a");
    await page.keyboard.press("Escape");
    expect(await heldNotes()).toEqual({ lit: [], open: 0 });
    await page.keyboard.up("a");
    const focused = () => page.evaluate(() => document.activeElement?.getAttribute("data-action"));
    await page.evaluate(() => (document.activeElement as HTMLElement | null)?.blur());
    await page.keyboard.press("Tab");
    expect(await focused()).toBe("toggle");
    await page.keyboard.press("Enter");
    await page.waitForFunction(() => window.sideman.store.state.phase === "armed");
  }, 60_000);

  test("tapping along to the clicks tells how late sound is heard", async () => {
    await open();
    await page.evaluate(() => {
      const { sound, clock } = window.sideman;
      const follow = sound.followClicks.bind(sound);
      sound.followClicks = (clicks) => {
        follow(clicks);
        for (const { timeS } of clicks) {
          const delayMs = (timeS - clock.nowS()) * 1000 + 80;
          const tap = new KeyboardEvent("keydown", { key: " " });
          Object.defineProperty(tap, "timeStamp", { value: performance.now() + delayMs }); // however late the timer is
          setTimeout(() => window.dispatchEvent(tap), delayMs);
        }
      };
      window.sideman.show("calibrate");
      window.sideman.calibrate();
    });
    await page.waitForFunction(() => window.sideman.store.state.calibration?.result != null, null, { timeout: 15_000 });
    const [offsetMs, heardMs] = await page.evaluate(() => {
      const { store, sound } = window.sideman;
      return [store.state.settings.outputOffsetMs, sound.outputDelayS() * 1000] as const;
    });
    expect(Math.abs(heardMs - 80)).toBeLessThan(25); // what the browser reports and what it does not: the picture waits for both
    expect(offsetMs).toBeLessThanOrEqual(105);
  }, 30_000);

  test("C5 a slider that is drawn back and forth does not flood the gateway, which has its last value in the end", async () => {
    await open();
    await page.evaluate(async () => {
      for (let step = 1; step <= 120; step++) {
        window.sideman.change({ temperature: step / 100 });
        await new Promise((resolve) => requestAnimationFrame(resolve));
      }
    });
    await page.waitForFunction(() => window.sideman.performer.jam.settings.temperature === 1.2);
    expect(problems).toEqual([]);
    expect(await page.evaluate(() => window.sideman.client.reconnects)).toBe(0);
  });

  test("settings stay, a link carries them, and the gateway follows", async () => {
    await open({}, "#bpm=77&beats_per_bar=3&chordsInstrument=strings");
    await page.waitForFunction(() => window.sideman.performer.jam.settings.bpm === 77);
    expect(await page.evaluate(() => window.sideman.performer.jam.settings.beats_per_bar)).toBe(3);
    await page.evaluate(() => window.sideman.change({ temperature: 0.3 }));
    await page.goto("about:blank");
    await page.goto(service.url);
    await page.waitForFunction(() => window.sideman?.performer.jam.settings.temperature === 0.3);
  });
});
