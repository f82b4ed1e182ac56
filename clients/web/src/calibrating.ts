/** Eight clicks to tap along to; what comes out is the delay no browser reports. Shell. */

import type { AudioClock } from "./clock.ts";
import type { Sound } from "./contracts.ts";
import { calibratedOffsetS } from "./sound/calibration.ts";

const NUM_CLICKS = 8;
const BEAT_S = 0.6;
const LEAD_S = 1;

/** Resolves with the offset in milliseconds, or null if the taps were too uneven. `onClick` is told how many clicks were heard. */
export async function calibrate(sound: Sound, clock: AudioClock, onClick: (clicked: number) => void): Promise<number | null> {
  const before = sound.calibrationS;
  sound.calibrationS = 0;
  const startS = clock.nowS() + LEAD_S;
  const clicks = Array.from({ length: NUM_CLICKS }, (_, index) => ({ timeS: startS + index * BEAT_S, accent: index % 4 === 0 }));
  const taps: number[] = [];
  const tap = (event: Event) => {
    if (event instanceof KeyboardEvent && (event.key !== " " || event.repeat)) return;
    event.preventDefault();
    event.stopPropagation();
    taps.push(clock.ofEventS(event.timeStamp));
  };
  const kinds = ["keydown", "pointerdown"] as const;
  for (const kind of kinds) addEventListener(kind, tap, { capture: true });
  sound.followClicks(clicks);
  try {
    for (const [index, click] of clicks.entries()) {
      await until(clock, click.timeS);
      onClick(index + 1);
    }
    await until(clock, startS + NUM_CLICKS * BEAT_S);
  } finally {
    for (const kind of kinds) removeEventListener(kind, tap, { capture: true });
    sound.calibrationS = before;
  }
  const heardS = clicks.map((click) => click.timeS + sound.outputDelayS() - before);
  const offsetS = calibratedOffsetS(heardS, taps);
  return offsetS === null ? null : Math.round(offsetS * 1000);
}

function until(clock: AudioClock, timeS: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, (timeS - clock.nowS()) * 1000)));
}
