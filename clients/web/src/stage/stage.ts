/** The canvases: waterfall, keys it falls on, and on narrow screens a second piano for the hands. Shell. */

import { HIGHEST_PITCH, isBlack, type Keyboard, keyAt, LOWEST_PITCH, layKeys, rangeFor } from "./keys.ts";
import { type Palette, readPalette } from "./palette.ts";
import { drawKeys, type Labels } from "./piano.ts";
import type { Lights, StageView } from "./view.ts";
import { drawWaterfall } from "./waterfall.ts";

const MAX_PIXEL_RATIO = 2; // beyond it nobody sees a difference, but the fill cost doubles
const MIN_WHITE_PX = 13; // narrower keys cannot be told apart
const TOUCH_WHITE_PX = 44; // narrower keys cannot be hit with a finger
const NARROW_PX = 700;

interface Layer {
  readonly canvas: HTMLCanvasElement;
  readonly context: CanvasRenderingContext2D;
  width: number;
  height: number;
}

export interface StageElements {
  readonly stage: HTMLElement; // around all of it
  readonly fall: HTMLElement;
  readonly strip: HTMLElement; // the keys under the waterfall
  readonly hands: HTMLElement; // the second piano; empty unless the screen is narrow
}

export class Stage {
  onResize: () => void = () => {};
  readonly #elements: StageElements;
  readonly #lanes: Layer;
  readonly #fall: Layer;
  readonly #strip: Layer;
  readonly #hands: Layer;
  #palette: Palette;
  #fallKeys: Keyboard = layKeys(36, 84, 1);
  #handKeys: Keyboard | null = null;
  #handsLow = 60;
  #drawn = ""; // what the keys show, to redraw them only when that changes

  constructor(elements: StageElements) {
    this.#elements = elements;
    this.#lanes = makeLayer(elements.fall);
    this.#fall = makeLayer(elements.fall);
    this.#strip = makeLayer(elements.strip);
    this.#hands = makeLayer(elements.hands);
    this.#palette = readPalette(elements.stage);
    new ResizeObserver(() => this.#resize()).observe(elements.stage);
    this.#resize();
  }

  /** Whether there is a second piano, which shows only some octaves. */
  get isNarrow(): boolean {
    return this.#handKeys !== null;
  }

  /** Reads the colours again: the theme has changed. */
  repaint(): void {
    this.#palette = readPalette(this.#elements.stage);
    this.#drawn = "";
    this.#drawLanes();
  }

  /** The second piano begins at this C. */
  showHandsFrom(pitch: number): void {
    if (pitch === this.#handsLow) return;
    this.#handsLow = pitch;
    this.#resize();
  }

  /** The key at a point of the page, harder towards its end, as on a real key. */
  pitchAt(clientX: number, clientY: number): { pitch: number; velocity: number } | null {
    const isOnHands = this.#handKeys !== null;
    const layer = isOnHands ? this.#hands : this.#strip;
    const box = layer.canvas.getBoundingClientRect();
    if (clientX < box.left || clientX >= box.right || clientY < box.top || clientY >= box.bottom) return null;
    const y = (clientY - box.top) / box.height;
    const key = keyAt(this.#handKeys ?? this.#fallKeys, clientX - box.left, y);
    return key === null ? null : { pitch: key.pitch, velocity: Math.round(56 + 56 * Math.min(1, y / (key.isBlack ? 0.62 : 1))) };
  }

  draw(view: StageView, lights: Lights, labels: Labels): void {
    const area = { width: this.#fall.width, height: this.#fall.height, keyboard: this.#fallKeys };
    drawWaterfall(this.#fall.context, area, view, this.#palette);
    const shown = [[...lights.player].join(), [...lights.agent].join(), labels.notes, [...labels.computer].join()].join("|");
    if (shown === this.#drawn) return;
    this.#drawn = shown;
    const none: Labels = { computer: new Map(), notes: "c" };
    drawKeys(this.#strip.context, this.#fallKeys, this.#strip.height, lights, this.isNarrow ? none : labels, this.#palette);
    if (this.#handKeys !== null) drawKeys(this.#hands.context, this.#handKeys, this.#hands.height, lights, labels, this.#palette);
  }

  #resize(): void {
    const { stage, hands } = this.#elements;
    const width = stage.clientWidth;
    const isNarrow = width < NARROW_PX;
    stage.classList.toggle("narrow", isNarrow);
    hands.hidden = !isNarrow;
    for (const layer of [this.#lanes, this.#fall, this.#strip, this.#hands]) sizeToParent(layer);
    const [low, high] = rangeFor(width, MIN_WHITE_PX);
    this.#fallKeys = layKeys(low, high, width);
    this.#handKeys = isNarrow ? this.#layHands(width) : null;
    this.#drawn = "";
    this.#drawLanes();
    this.onResize();
  }

  #layHands(width: number): Keyboard {
    const numWhite = Math.max(8, Math.floor(width / TOUCH_WHITE_PX));
    const low = Math.min(Math.max(this.#handsLow, LOWEST_PITCH), 84);
    let high = low;
    for (let whites = 1; whites < numWhite && high < HIGHEST_PITCH; high++) if (!isBlack(high + 1)) whites += 1;
    return layKeys(low, high, width);
  }

  #drawLanes(): void {
    const { context, width, height } = this.#lanes;
    context.fillStyle = this.#palette.ground;
    context.fillRect(0, 0, width, height);
    for (const key of this.#fallKeys.keys) {
      if (key.isBlack) {
        context.fillStyle = this.#palette.lane;
        context.fillRect(key.x, 0, key.width, height);
      } else if (key.pitch % 12 === 0) {
        context.fillStyle = this.#palette.line;
        context.fillRect(Math.round(key.x), 0, 1, height);
      }
    }
  }
}

function makeLayer(parent: HTMLElement): Layer {
  const canvas = document.createElement("canvas");
  canvas.setAttribute("aria-hidden", "true");
  parent.append(canvas);
  const context = canvas.getContext("2d");
  if (context === null) throw new Error("this browser draws no canvas");
  return { canvas, context, width: 0, height: 0 };
}

/** The canvas as large as its parent, in real pixels. */
function sizeToParent(layer: Layer): void {
  const parent = layer.canvas.parentElement as HTMLElement; // `makeLayer` gave it one
  const ratio = Math.min(MAX_PIXEL_RATIO, devicePixelRatio || 1);
  layer.width = parent.clientWidth;
  layer.height = parent.clientHeight;
  layer.canvas.width = Math.round(layer.width * ratio);
  layer.canvas.height = Math.round(layer.height * ratio);
  layer.context.setTransform(ratio, 0, 0, ratio, 0, 0);
}
