/** The computer keyboard as an instrument: its events in, notes out. Shell. */

import type { EventClock, KeyboardInput, NoteSink } from "../contracts.ts";
import { type Change, Holding } from "./holding.ts";
import { clampOctave, keyLabels, OCTAVE_DOWN, OCTAVE_UP, pitchOfKey } from "./keymap.ts";

const VELOCITY = 90; // keys of a computer do not tell
const FIRST_OCTAVE = 4;
/** Inputs that take no letters: playing while one of them has the focus is fine. */
const SILENT_INPUTS = new Set(["button", "checkbox", "color", "file", "image", "radio", "range", "reset", "submit"]);

export function createKeyboardInput(target: Window, sink: NoteSink, clock: EventClock): KeyboardInput {
  return new Keyboard(target, sink, clock);
}

class Keyboard implements KeyboardInput {
  octave = FIRST_OCTAVE;
  onOctave: ((octave: number) => void) | null = null;
  private layout: ReadonlyMap<string, string> | null = null;
  private readonly holding = new Holding<string>();

  constructor(
    private readonly target: Window,
    private readonly sink: NoteSink,
    private readonly clock: EventClock,
  ) {}

  attach(): void {
    this.target.addEventListener("keydown", this.onDown);
    this.target.addEventListener("keyup", this.onUp);
    this.target.addEventListener("blur", this.onLeave);
    this.target.document.addEventListener("visibilitychange", this.onLeave);
    this.learnLayout();
  }

  detach(): void {
    this.releaseAll();
    this.target.removeEventListener("keydown", this.onDown);
    this.target.removeEventListener("keyup", this.onUp);
    this.target.removeEventListener("blur", this.onLeave);
    this.target.document.removeEventListener("visibilitychange", this.onLeave);
  }

  releaseAll(): void {
    this.tell(this.holding.liftAll(), this.clock.nowS());
  }

  shiftOctave(by: number): void {
    this.octave = clampOctave(this.octave + by);
    this.onOctave?.(this.octave);
  }

  labels(): ReadonlyMap<number, string> {
    return keyLabels(this.octave, this.layout);
  }

  private readonly onDown = (event: KeyboardEvent): void => {
    // While Meta is down some systems keep the releases of other keys to themselves.
    if (event.key === "Meta") this.releaseAll();
    if (event.repeat || event.isComposing || hasModifier(event) || takesLetters(event)) return;
    if (event.code === OCTAVE_DOWN) this.shiftOctave(-1);
    if (event.code === OCTAVE_UP) this.shiftOctave(1);
    const pitch = pitchOfKey(event.code, this.octave);
    if (pitch === null) return;
    event.preventDefault(); // the apostrophe opens a search bar in some browsers
    this.tell(this.holding.press(event.code, pitch), this.clock.ofEventS(event.timeStamp));
  };

  private readonly onUp = (event: KeyboardEvent): void => {
    this.tell(this.holding.lift(event.code), this.clock.ofEventS(event.timeStamp));
  };

  private readonly onLeave = (): void => {
    this.releaseAll();
  };

  private tell(changes: Change[], timeS: number): void {
    for (const { pitch, on } of changes) this.sink({ pitch, on, velocity: VELOCITY, timeS, source: "keys" });
  }

  private learnLayout(): void {
    const { keyboard } = this.target.navigator as Navigator & { keyboard?: { getLayoutMap(): Promise<ReadonlyMap<string, string>> } };
    keyboard?.getLayoutMap().then(
      (layout) => {
        this.layout = layout;
        this.onOctave?.(this.octave);
      },
      () => undefined, // an embedded page may not ask; the printed letters stay those of a US keyboard
    );
  }
}

/** With these a letter is a command of the app or the browser; Caps Lock is none, for it changes no physical key. */
function hasModifier(event: KeyboardEvent): boolean {
  return event.ctrlKey || event.altKey || event.metaKey || event.shiftKey;
}

function takesLetters(event: KeyboardEvent): boolean {
  // The first of the path, because a field inside a custom element looks like that element from outside.
  const element = event.composedPath()[0];
  if (!(element instanceof HTMLElement)) return false;
  if (element instanceof HTMLInputElement) return !SILENT_INPUTS.has(element.type);
  return element.isContentEditable || element instanceof HTMLTextAreaElement || element instanceof HTMLSelectElement;
}
