/** The canvases of the stage, and the way to whoever paints them: a thread of its own where the browser has that, else the page. Shell. */

import { LAYERS, type LayerName, type Paint, type Painted } from "./paint.ts";
import { Painter } from "./painter.ts";
import type { Surfaces } from "./painter.worker.ts";

type Parents = Readonly<Record<LayerName, HTMLElement>>;

export interface Canvases {
  paint(paint: Paint): void;
}

/** Canvases in these elements. `onLost`: whatever was painted is gone, and has to be told again. */
export function createCanvases(parents: Parents, onPainted: (painted: Painted) => void, onLost: () => void): Canvases {
  const here = () => {
    const painter = new Painter(canvasesIn(parents), onPainted);
    return (paint: Paint) => painter.paint(paint);
  };
  if (!("transferControlToOffscreen" in HTMLCanvasElement.prototype)) return { paint: here() };
  const worker = new Worker(new URL("./painter.worker.ts", import.meta.url), { type: "module" });
  const canvases: { paint(paint: Paint): void } = { paint: (paint) => worker.postMessage(paint) };
  worker.onmessage = ({ data }: MessageEvent<Painted>) => onPainted(data);
  worker.onerror = () => {
    worker.terminate();
    canvases.paint = here();
    onLost();
  };
  const made = Object.entries(canvasesIn(parents)).map(([name, canvas]) => [name, canvas.transferControlToOffscreen()] as const);
  const surfaces = Object.fromEntries(made) as Surfaces["surfaces"];
  worker.postMessage({ kind: "surfaces", surfaces } satisfies Surfaces, Object.values(surfaces));
  return canvases;
}

/** New canvases in place of what was there. */
function canvasesIn(parents: Parents): Record<LayerName, HTMLCanvasElement> {
  for (const parent of Object.values(parents)) for (const old of parent.querySelectorAll(":scope > canvas")) old.remove();
  const made = LAYERS.map((name) => {
    const canvas = document.createElement("canvas");
    canvas.setAttribute("aria-hidden", "true");
    return [name, canvas] as const;
  });
  for (const [name, canvas] of made.toReversed()) parents[name].prepend(canvas); // behind what else is there; lanes behind what falls
  return Object.fromEntries(made) as Record<LayerName, HTMLCanvasElement>;
}
