/** The General MIDI program of every instrument, counted from 0: where it is found in the soundfont, and what a MIDI file says. Pure. */

import type { Instrument } from "../contracts.ts";

export const PROGRAMS: Readonly<Record<Instrument, number>> = {
  piano: 0,
  epiano: 4,
  organ: 16,
  nylon_guitar: 24,
  steel_guitar: 25,
  jazz_guitar: 26,
  strings: 48,
  pad: 89,
  harp: 46,
  vibraphone: 11,
  bass: 32,
  choir: 52,
};
