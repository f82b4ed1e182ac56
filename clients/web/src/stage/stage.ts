/** The stage in the page: where everything is, which key lies under a finger, and what the painter has to know. Shell. */

import { type Canvases, createCanvases } from "./canvases.ts";
import { HIGHEST_PITCH, isBlack, type Keyboard, keyAt, LOWEST_PITCH, layKeys, rangeFor } from "./keys.ts";
import type { Labels, Painted, Size } from "./paint.ts";
import { readPalette } from "./palette.ts";
import type { Lights, StageView } from "./view.ts";

const MAX_PIXEL_RATIO = 2; // beyond it nobody sees a difference, but the fill cost doubles
const MIN_WHITE_PX = 13; // narrower keys cannot be told apart
const TOUCH_WHITE_PX = 44; // narrower keys cannot be hit with a finger
const NARROW_PX = 700;

export interface StageElements {
  readonly stage: HTMLElement; // around all of it
  readonly fall: HTMLElement;
  readonly strip: HTMLElement; // the keys under the waterfall
  readonly hands: HTMLElement; // the second piano; empty unless the screen is narrow
}

export class Stage {
  onResize: () => void = () => {};
  painted: Painted = { drawMs: 0, lagMs: 0 }; // how painting went lately, for whoever measures
  readonly #elements: StageElements;
  readonly #canvases: Canvases;
  #fallKeys: Keyboard = layKeys(36, 84, 1);
  #handKeys: Keyboard | null = null;
  #handsLow = 60;
  #told = ""; // what the keys show, to tell it only when that changes
  #isStill = false; // the last picture had nothing that moves

  constructor(elements: StageElements) {
    this.#elements = elements;
    const { fall, strip, hands } = elements;
    const onPainted = (painted: Painted) => {
      this.painted = painted;
    };
    this.#canvases = createCanvases({ lanes: fall, fall, strip, hands }, onPainted, () => this.repaint());
    new ResizeObserver(() => this.#resize()).observe(elements.stage);
    this.#resize();
  }

  /** Whether there is a second piano, which shows only some octaves. */
  get isNarrow(): boolean {
    return this.#handKeys !== null;
  }

  /** Lays everything out again, in the colours there are now. */
  repaint(): void {
    const { stage, fall, strip, hands } = this.#elements;
    const sizes = { lanes: sizeOf(fall), fall: sizeOf(fall), strip: sizeOf(strip), hands: sizeOf(hands) };
    const ratio = Math.min(MAX_PIXEL_RATIO, devicePixelRatio || 1);
    const layout = { sizes, ratio, fallKeys: this.#fallKeys, handKeys: this.#handKeys, palette: readPalette(stage) };
    this.#told = "";
    this.#isStill = false;
    this.#canvases.paint({ kind: "layout", layout });
  }

  /** The second piano begins at this C. */
  showHandsFrom(pitch: number): void {
    if (pitch === this.#handsLow) return;
    this.#handsLow = pitch;
    this.#resize();
  }

  /** The key at a point of the page, harder towards its end, as on a real key. */
  pitchAt(clientX: number, clientY: number): { pitch: number; velocity: number } | null {
    const box = (this.#handKeys === null ? this.#elements.strip : this.#elements.hands).getBoundingClientRect();
    if (clientX < box.left || clientX >= box.right || clientY < box.top || clientY >= box.bottom) return null;
    const y = (clientY - box.top) / box.height;
    const key = keyAt(this.#handKeys ?? this.#fallKeys, clientX - box.left, y);
    return key === null ? null : { pitch: key.pitch, velocity: Math.round(56 + 56 * Math.min(1, y / (key.isBlack ? 0.62 : 1))) };
  }

  draw(view: StageView, lights: Lights, labels: Labels): void {
    const shown = [[...lights.player].join(), [...lights.agent].join(), labels.notes, [...labels.computer].join()].join("|");
    if (shown !== this.#told) this.#canvases.paint({ kind: "keys", lights, labels });
    this.#told = shown;
    const isStill = view.position === null && view.notes.length === 0;
    if (isStill && this.#isStill) return;
    this.#isStill = isStill;
    this.#canvases.paint({ kind: "picture", view, askedMs: performance.timeOrigin + performance.now() });
  }

  #resize(): void {
    const { stage, hands } = this.#elements;
    const width = stage.clientWidth;
    const isNarrow = width < NARROW_PX;
    stage.classList.toggle("narrow", isNarrow);
    hands.hidden = !isNarrow;
    const [low, high] = rangeFor(width, MIN_WHITE_PX);
    this.#fallKeys = layKeys(low, high, width);
    this.#handKeys = isNarrow ? this.#layHands(width) : null;
    this.repaint();
    this.onResize();
  }

  #layHands(width: number): Keyboard {
    const numWhite = Math.max(8, Math.floor(width / TOUCH_WHITE_PX));
    const low = Math.min(Math.max(this.#handsLow, LOWEST_PITCH), 84);
    let high = low;
    for (let whites = 1; whites < numWhite && high < HIGHEST_PITCH; high++) if (!isBlack(high + 1)) whites += 1;
    return layKeys(low, high, width);
  }
}

function sizeOf(element: HTMLElement): Size {
  return { width: element.clientWidth, height: element.clientHeight };
}
