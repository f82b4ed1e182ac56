/** A jam as a chord chart: one cell a bar, the symbols that begin in it, and what runs on from before. Pure. */

import type { SessionRecord } from "../contracts.ts";
import { barAt } from "../jam/grid.ts";

export interface ChartBar {
  readonly number: number;
  readonly symbols: readonly string[]; // as on the wire; "N" is none
}

/** All bars of a record; a bar in which nothing begins repeats what sounds. */
export function chartOf(record: SessionRecord): ChartBar[] {
  const bars: ChartBar[] = [];
  for (let start = 0; start < record.frames; ) {
    const { line, frames } = barAt(record.metre, start);
    const nextMark = record.metre.find((mark) => mark.frame > start)?.frame ?? Number.POSITIVE_INFINITY;
    const end = Math.min(start + frames - ((start - line) % frames), nextMark);
    const sounding = record.chords.filter((chord) => chord.start < end && chord.start + chord.length > start);
    const symbols = sounding.map((chord) => chord.symbol).filter((symbol, index, all) => symbol !== all[index - 1]);
    bars.push({ number: bars.length + 1, symbols });
    start = end;
  }
  return bars;
}
