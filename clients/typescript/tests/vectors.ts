/** The schema's golden vectors, the same files that every SDK and the gateway read. Shell. */

import { readFileSync } from "node:fs";

export interface MessageVector {
  readonly name: string;
  readonly direction: "client" | "gateway";
  readonly message: { readonly type: string };
  readonly msgpack: string; // hexadecimal
}

export interface SoundingVector {
  readonly name: string;
  readonly plans: readonly {
    readonly seq: number;
    readonly first_frame: number;
    readonly arrives_in: number;
    readonly chords: readonly { readonly length: number; readonly symbol: string; readonly onset: boolean }[];
  }[];
  readonly from_frame: number;
  readonly frames: readonly { readonly symbol: string; readonly onset: boolean }[];
}

export interface MelodyVector {
  readonly name: string;
  readonly events: readonly { readonly frame: number; readonly pitch: number; readonly on: boolean }[];
  readonly values: readonly number[];
  readonly melody: readonly { readonly start: number; readonly length: number; readonly pitch: number }[];
}

function read<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`../../../schema/vectors/${name}.json`, import.meta.url), "utf8"));
}

export const MESSAGES = read<readonly MessageVector[]>("messages");
export const MELODIES = read<readonly MelodyVector[]>("melody");
export const SOUNDING = read<{ readonly sounding: readonly SoundingVector[] }>("plans").sounding;
