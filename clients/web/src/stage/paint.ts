/** What the stage tells whoever paints it, in the page or in a thread of its own: plain values, so that they can be sent. Pure. */

import type { Keyboard } from "./keys.ts";
import type { Palette } from "./palette.ts";
import type { Lights, StageView } from "./view.ts";

/** From the back to the front: lanes, what falls, the keys under it, and on narrow screens the keys for the hands. */
export const LAYERS = ["lanes", "fall", "strip", "hands"] as const;
export type LayerName = (typeof LAYERS)[number];

export interface Labels {
  readonly computer: ReadonlyMap<number, string>; // empty: not shown
  readonly notes: "none" | "c" | "all";
}

export interface Size {
  readonly width: number; // CSS pixels
  readonly height: number;
}

export interface Layout {
  readonly sizes: Readonly<Record<LayerName, Size>>;
  readonly ratio: number; // real pixels of a CSS pixel
  readonly fallKeys: Keyboard;
  readonly handKeys: Keyboard | null; // null: one piano for both
  readonly palette: Palette;
}

export type Paint =
  | { readonly kind: "layout"; readonly layout: Layout }
  | { readonly kind: "keys"; readonly lights: Lights; readonly labels: Labels }
  | { readonly kind: "picture"; readonly view: StageView; readonly askedMs: number }; // since 1970: threads share no other origin

/** How painting goes: of the pictures since the last report. */
export interface Painted {
  readonly drawMs: number; // mean
  readonly lagMs: number; // the longest from being asked for a picture to having drawn it
}
