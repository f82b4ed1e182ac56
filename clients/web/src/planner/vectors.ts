/** Reads the golden vectors of the page's planner for its tests: what the serving code made of the same inputs. Shell. */

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { ClientMessage, GatewayMessage } from "sideman-client";
import type { PlanRequest } from "./slots.ts";
import type { Manifest } from "./weights.ts";

const ROOT = new URL("../../../../", import.meta.url);
const MADE = new URL("tests/sideman/page_vectors/", ROOT);

export interface PlanVector {
  readonly request: PlanRequest;
  readonly planned: readonly number[];
}

export interface JamVector {
  readonly name: string;
  readonly seed: number;
  readonly messages: readonly { readonly client: ClientMessage; readonly gateway: readonly GatewayMessage[] }[];
}

interface Arithmetic {
  readonly noise: readonly {
    readonly seed: number;
    readonly frame: number;
    readonly part: number;
    readonly bits: readonly number[];
    readonly gumbel: readonly number[];
  }[];
  readonly voicings: readonly {
    readonly root: number;
    readonly intervals: readonly number[];
    readonly style: string;
    readonly previous: readonly number[];
    readonly pitches: readonly number[];
  }[];
}

export const arithmetic = json(new URL("arithmetic.json", MADE)) as Arithmetic;

/** A network of toy sizes, and what it plans. */
export const tiny = {
  ...(json(new URL("tiny.json", MADE)) as { manifest: Manifest; plans: readonly PlanVector[]; jams: readonly JamVector[] }),
  data: bytes(new URL("tiny.bin", MADE)),
};

/** The shipped checkpoint as it is exported for the page, and plans the service made with it. */
export function shipped(): { manifest: Manifest; data: ArrayBuffer; sha256: string; plans: readonly PlanVector[] } {
  const made = json(new URL("shipped.json", MADE)) as { sha256: string; plans: readonly PlanVector[] };
  const folder = mkdtempSync(join(tmpdir(), "sideman-planner-"));
  try {
    const arguments_ = ["-m", "sideman.export_web", "--to", folder];
    execFileSync(fileURLToPath(new URL(".venv/bin/python", ROOT)), arguments_, { cwd: fileURLToPath(ROOT), stdio: "pipe" });
    const exported = pathToFileURL(`${folder}/`);
    const manifest = json(new URL("planner.json", exported)) as Manifest;
    return { ...made, manifest, data: bytes(new URL(manifest.file, exported)) };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function json(url: URL): unknown {
  return JSON.parse(readFileSync(url, "utf8"));
}

function bytes(url: URL): ArrayBuffer {
  return Uint8Array.from(readFileSync(url)).buffer;
}
