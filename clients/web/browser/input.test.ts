/** Keyboard, pointers and MIDI of a real browser: what is pressed is told once, and whatever happens, no note hangs. */

import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type OpenWorkbench, theWorkbench } from "./harness.ts";

let workbench: OpenWorkbench;
beforeAll(async () => {
  workbench = await theWorkbench();
});
beforeEach(() => workbench.page.evaluate(() => globalThis.workbench.openAnew()));

const notes = () => workbench.page.evaluate(() => globalThis.workbench.takeNotes());

describe("computer keyboard", () => {
  beforeEach(() => workbench.page.evaluate(() => globalThis.workbench.attachKeyboard()));

  test("plays two rows, each key once however long it is held", async () => {
    const { keyboard } = workbench.page;
    await keyboard.down("a");
    await keyboard.down("a"); // what a held key repeats
    await keyboard.down("t");
    await keyboard.up("a");
    await keyboard.up("t");
    expect(await notes()).toEqual(["+60", "+66", "-60", "-66"]);
  });

  test("an octave shift moves what is pressed next, and a held key ends the note it began", async () => {
    const { keyboard } = workbench.page;
    await keyboard.down("a");
    await keyboard.press("x");
    await keyboard.up("a");
    await keyboard.press("a");
    expect(await notes()).toEqual(["+60", "-60", "+72", "-72"]);
    expect(await workbench.page.evaluate(() => globalThis.workbench.octave())).toBe(5);
  });

  test.each(["text", "number", "area", "select", "editable", "host"])("is silent while %s takes the letters", async (id) => {
    await workbench.page.evaluate((id) => {
      globalThis.workbench.drawFields();
      globalThis.workbench.focusOn(id);
    }, id);
    await workbench.page.keyboard.press("a");
    expect(await notes()).toEqual([]);
  });

  test.each(["slider", "box"])("plays while %s has the focus, which takes no letters", async (id) => {
    await workbench.page.evaluate((id) => {
      globalThis.workbench.drawFields();
      globalThis.workbench.focusOn(id);
    }, id);
    await workbench.page.keyboard.press("a");
    expect(await notes()).toEqual(["+60", "-60"]);
  });

  test.each(["Control", "Alt", "Shift"])("is silent while %s is down", async (modifier) => {
    await workbench.page.keyboard.press(`${modifier}+t`);
    expect(await notes()).toEqual([]);
    await workbench.page.keyboard.press("t");
    expect(await notes()).toEqual(["+66", "-66"]);
  });

  test("a note begun before a field got the focus still ends", async () => {
    await workbench.page.keyboard.down("a");
    await workbench.page.evaluate(() => {
      globalThis.workbench.drawFields();
      globalThis.workbench.focusOn("text");
    });
    await workbench.page.keyboard.up("a");
    expect(await notes()).toEqual(["+60", "-60"]);
  });

  test("a window that loses the focus lifts everything", async () => {
    await workbench.page.keyboard.down("a");
    await workbench.page.keyboard.down("d");
    await workbench.page.evaluate(() => window.dispatchEvent(new Event("blur")));
    expect(await notes()).toEqual(["+60", "+64", "-60", "-64"]);
  });
});

describe("pointers", () => {
  beforeEach(() => workbench.page.evaluate(() => globalThis.workbench.drawKeys()));

  test("a mouse presses, glides from key to key, and lets go", async () => {
    const { mouse } = workbench.page;
    await mouse.move(20, 80);
    await mouse.down();
    await mouse.move(30, 80);
    await mouse.move(60, 20);
    await mouse.up();
    const played = await workbench.page.evaluate(() => globalThis.workbench.takeWhole());
    expect(played.map(({ pitch, on }) => [pitch, on])).toEqual([
      [60, true],
      [60, false],
      [61, true],
      [61, false],
    ]);
    expect(played[0]).toMatchObject({ velocity: 80, source: "pointer" });
    expect(played[2]).toMatchObject({ velocity: 50 });
  });

  test("off the keys it is silent, and coming back it plays again", async () => {
    const { mouse } = workbench.page;
    await mouse.move(20, 50);
    await mouse.down();
    await mouse.move(20, 200);
    await mouse.move(60, 50);
    await mouse.up();
    expect(await notes()).toEqual(["+60", "-60", "+61", "-61"]);
  });

  test("the right button and a mouse that only passes play nothing", async () => {
    const { mouse } = workbench.page;
    await mouse.move(20, 50);
    await mouse.down({ button: "right" });
    await mouse.move(60, 50);
    await mouse.up({ button: "right" });
    await mouse.move(100, 50);
    expect(await notes()).toEqual([]);
  });

  test("fingers glide on their own, and a cancelled one leaves its key", async () => {
    const session = await workbench.page.context().newCDPSession(workbench.page);
    const touch = (type: "touchStart" | "touchMove" | "touchEnd" | "touchCancel", ...xs: number[]) =>
      session.send("Input.dispatchTouchEvent", { type, touchPoints: xs.map((x, id) => ({ x, y: 50, id })) });
    await touch("touchStart", 20);
    await touch("touchStart", 20, 180);
    await touch("touchMove", 60, 180);
    expect(await notes()).toEqual(["+60", "+64", "-60", "+61"]);
    await touch("touchCancel");
    expect((await notes()).sort()).toEqual(["-61", "-64"]);
  });
});

describe("MIDI", () => {
  const open = (answer: "granted" | "refused") => workbench.page.evaluate((each) => globalThis.workbench.openMidi(each), answer);
  const plug = (id: string, isIn: boolean) =>
    workbench.page.evaluate(([...args]) => globalThis.workbench.plug(...args), [id, isIn] as const);
  const send = (id: string, ...bytes: number[]) =>
    workbench.page.evaluate(([port, ...each]) => globalThis.workbench.sendMidi(port, ...each), [id, ...bytes] as [string, ...number[]]);
  const last = () => workbench.page.evaluate(() => globalThis.workbench.lastMidi());

  test("a refusal is told", async () => {
    expect(await open("refused")).toEqual({ kind: "refused" });
  });

  test("devices that come and go are told, and play at once", async () => {
    expect(await open("granted")).toEqual({ kind: "ready", ports: [], chosen: null });
    await plug("1", true);
    expect((await last()).state).toEqual({ kind: "ready", ports: [{ id: "1", name: "Piano 1" }], chosen: null });
    await send("1", 0x93, 60, 101);
    const [note] = await workbench.page.evaluate(() => globalThis.workbench.takeWhole());
    expect(note).toMatchObject({ pitch: 60, velocity: 101, on: true, source: "midi" });
    await plug("1", false);
    expect(await notes()).toEqual(["-60"]);
    expect((await last()).state).toMatchObject({ ports: [] });
    await plug("1", true);
    await send("1", 0x90, 62, 80);
    expect(await notes()).toEqual(["+62"]);
  });

  test("another choice lifts what the device before held, and only the chosen one plays", async () => {
    await open("granted");
    await plug("1", true);
    await plug("2", true);
    await send("1", 0x90, 60, 80);
    await workbench.page.evaluate(() => globalThis.workbench.chooseMidi("2"));
    expect(await notes()).toEqual(["+60", "-60"]);
    await send("1", 0x90, 61, 80);
    await send("2", 0x90, 62, 80);
    expect(await notes()).toEqual(["+62"]);
  });

  test("the light shows what is played, not the device's clock", async () => {
    await open("granted");
    await plug("1", true);
    await send("1", 0xf8);
    await send("1", 0xfe);
    expect((await last()).lastMessageS).toBeNull();
    await send("1", 0xb0, 64, 127);
    const { lastMessageS, nowS } = await last();
    expect(lastMessageS).toBeGreaterThan(nowS - 1);
  });
});
