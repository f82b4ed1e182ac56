/** Everything of `sound/`, `input/` and `after/` that the app may use: what the benchmark builds to weigh it. */

export { toMidi } from "../src/after/midi_file.ts";
export { replayTimeline } from "../src/after/replay.ts";
export { parseSession, toJson } from "../src/after/session.ts";
export { toWav } from "../src/after/wav.ts";
export { createKeyboardInput } from "../src/input/keys.ts";
export { createMidiInput } from "../src/input/midi.ts";
export { createPointerInput } from "../src/input/pointer.ts";
export { calibratedOffsetS } from "../src/sound/calibration.ts";
export { createSound } from "../src/sound/sound.ts";
