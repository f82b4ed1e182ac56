/** Paints the stage in a thread of its own, so that a key that is pressed never waits for a picture. Shell. */

import type { LayerName, Paint } from "./paint.ts";
import { Painter } from "./painter.ts";

export interface Surfaces {
  readonly kind: "surfaces";
  readonly surfaces: Readonly<Record<LayerName, OffscreenCanvas>>;
}

let painter: Painter | null = null;

addEventListener("message", ({ data }: MessageEvent<Surfaces | Paint>) => {
  if (data.kind === "surfaces") painter = new Painter(data.surfaces, (painted) => postMessage(painted));
  else painter?.paint(data);
});
