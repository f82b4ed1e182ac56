/** Fetches the exported weights, and lets nobody play with them before their SHA-256 and their golden plan are right. Shell. */

import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import type { Model } from "./gateway.ts";
import { goldenRequest } from "./golden.ts";
import { Network } from "./network.ts";
import { finish, Slot } from "./slots.ts";
import { Symbols } from "./symbols.ts";
import { type Manifest, UnusableWeights, Weights } from "./weights.ts";

/** The model behind the address of a `planner.json`. Rejects with UnusableWeights. */
export async function loadModel(url: string): Promise<Model> {
  const manifest = (await (await fetched(url)).json()) as Manifest;
  const data = await (await fetched(new URL(manifest.file, url).href)).arrayBuffer();
  return checkedModel(manifest, data);
}

/** The model of an export. Throws UnusableWeights. */
export function checkedModel(manifest: Manifest, data: ArrayBuffer): Model {
  const found = bytesToHex(sha256(new Uint8Array(data)));
  if (found !== manifest.sha256) throw new UnusableWeights(`weights with SHA-256 ${manifest.sha256.slice(0, 12)}`, found.slice(0, 12));
  const network = new Network(new Weights(manifest, data), manifest.vocabulary);
  const { chords } = finish(new Slot(network).plan(network, goldenRequest(manifest.golden)));
  if (chords.join() !== manifest.golden.chords.join()) throw new UnusableWeights("the golden plan", `chords ${chords.join(" ")}`);
  return { name: manifest.model, temperature: manifest.temperature, network, symbols: new Symbols(manifest.vocabulary) };
}

async function fetched(url: string): Promise<Response> {
  const response = await fetch(url);
  if (!response.ok) throw new UnusableWeights(`an answer from ${url}`, String(response.status));
  return response;
}
