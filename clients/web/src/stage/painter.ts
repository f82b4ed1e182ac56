/** The layers of the stage on their canvases, in the page or in a thread of its own: draws what it is told. Shell. */

import { LAYERS, type Labels, type LayerName, type Layout, type Paint, type Painted } from "./paint.ts";
import { drawKeys } from "./piano.ts";
import type { Lights, StageView } from "./view.ts";
import { drawWaterfall } from "./waterfall.ts";

export type Surface = HTMLCanvasElement | OffscreenCanvas;

const REPORT_PICTURES = 60;

export class Painter {
  readonly #surfaces: Readonly<Record<LayerName, Surface>>;
  readonly #contexts: Readonly<Record<LayerName, CanvasRenderingContext2D>>;
  readonly #report: (painted: Painted) => void;
  #layout: Layout | null = null;
  #lights: Lights = { player: new Set(), agent: new Set() };
  #labels: Labels = { computer: new Map(), notes: "none" };
  #hasReported = false;
  #pictures = 0;
  #drawMs = 0;
  #lagMs = 0;

  constructor(surfaces: Readonly<Record<LayerName, Surface>>, report: (painted: Painted) => void) {
    this.#surfaces = surfaces;
    const contexts = LAYERS.map((name) => [name, contextOf(surfaces[name])] as const);
    this.#contexts = Object.fromEntries(contexts) as Record<LayerName, CanvasRenderingContext2D>;
    this.#report = report;
  }

  paint(paint: Paint): void {
    if (paint.kind === "layout") this.#lay(paint.layout);
    else if (paint.kind === "keys") this.#press(paint.lights, paint.labels);
    else this.#draw(paint.view, paint.askedMs);
  }

  /** Canvases of a new size are empty, and other colours concern all of them. */
  #lay(layout: Layout): void {
    this.#layout = layout;
    for (const name of LAYERS) {
      const { width, height } = layout.sizes[name];
      this.#surfaces[name].width = Math.round(width * layout.ratio);
      this.#surfaces[name].height = Math.round(height * layout.ratio);
      this.#contexts[name].setTransform(layout.ratio, 0, 0, layout.ratio, 0, 0);
    }
    this.#drawLanes(layout);
    this.#press(this.#lights, this.#labels);
  }

  #press(lights: Lights, labels: Labels): void {
    [this.#lights, this.#labels] = [lights, labels];
    if (this.#layout === null) return;
    const { sizes, fallKeys, handKeys, palette } = this.#layout;
    const none: Labels = { computer: new Map(), notes: "c" };
    drawKeys(this.#contexts.strip, fallKeys, sizes.strip.height, lights, handKeys === null ? labels : none, palette);
    if (handKeys !== null) drawKeys(this.#contexts.hands, handKeys, sizes.hands.height, lights, labels, palette);
  }

  #draw(view: StageView, askedMs: number): void {
    if (this.#layout === null) return;
    const { sizes, fallKeys, palette } = this.#layout;
    const startMs = performance.now();
    drawWaterfall(this.#contexts.fall, { ...sizes.fall, keyboard: fallKeys }, view, palette);
    const endMs = performance.now();
    this.#pictures += 1;
    this.#drawMs += endMs - startMs;
    this.#lagMs = Math.max(this.#lagMs, performance.timeOrigin + endMs - askedMs);
    if (this.#hasReported && this.#pictures < REPORT_PICTURES) return;
    this.#hasReported = true; // the first at once: the stage is there
    this.#report({ drawMs: this.#drawMs / this.#pictures, lagMs: this.#lagMs });
    [this.#pictures, this.#drawMs, this.#lagMs] = [0, 0, 0];
  }

  #drawLanes({ sizes, fallKeys, palette }: Layout): void {
    const context = this.#contexts.lanes;
    const { width, height } = sizes.lanes;
    context.fillStyle = palette.ground;
    context.fillRect(0, 0, width, height);
    for (const key of fallKeys.keys) {
      if (key.isBlack) {
        context.fillStyle = palette.lane;
        context.fillRect(key.x, 0, key.width, height);
      } else if (key.pitch % 12 === 0) {
        context.fillStyle = palette.line;
        context.fillRect(Math.round(key.x), 0, 1, height);
      }
    }
  }
}

/** Both kinds of canvas have the same context, as far as anything is drawn here. */
function contextOf(surface: Surface): CanvasRenderingContext2D {
  const context = surface.getContext("2d") as CanvasRenderingContext2D | null;
  if (context === null) throw new Error("this browser draws no canvas");
  return context;
}
