/** Puts on the page what browser tests may ask of it, as `workbench`. Shell. */

import { benchFunctions } from "./page_bench.ts";
import { inputFunctions } from "./page_input.ts";
import { soundFunctions } from "./page_sound.ts";

const functions = { ...soundFunctions, ...inputFunctions, ...benchFunctions };

export type Workbench = typeof functions;

declare global {
  var workbench: Workbench;
}

globalThis.workbench = functions;
