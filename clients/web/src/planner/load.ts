/** Fetches the exported weights, and lets nobody play with them before their SHA-256 and their golden plan are right. Shell. */

import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import type { Model } from "./gateway.ts";
import { goldenRequest } from "./golden.ts";
import type { WeightsFrom } from "./link.ts";
import { Network } from "./network.ts";
import { finish, Slot } from "./slots.ts";
import { Symbols } from "./symbols.ts";
import { type Manifest, UnusableWeights, Weights } from "./weights.ts";

const SHELF = "sideman-planner";

/** The model behind the address of a `planner.json`; its weights are kept for later visits. Rejects with UnusableWeights. */
export async function loadModel(url: string, from: WeightsFrom): Promise<Model> {
  const manifest = (await (await fetched(url, {})).json()) as Manifest;
  const address = new URL(manifest.file, url).href;
  const shelf = await openShelf();
  const kept = await shelf?.match(address);
  if (kept === undefined && from === "kept") throw new UnusableWeights("weights kept from an earlier visit", "none");
  const response = kept ?? (await fetched(address, { priority: from === "idly" ? "low" : "auto" }));
  const copy = kept === undefined ? response.clone() : null;
  try {
    const model = checkedModel(manifest, await response.arrayBuffer());
    if (shelf !== null && copy !== null) keep(shelf, address, copy).catch(() => {}); // no room: a later visit fetches again
    return model;
  } catch (problem) {
    await shelf?.delete(address);
    throw problem;
  }
}

/** Where the browser keeps what a page wants; null where it may not, as on a page without TLS that is not of this machine. */
async function openShelf(): Promise<Cache | null> {
  try {
    return await caches.open(SHELF);
  } catch {
    return null;
  }
}

/** In place of the weights before. */
async function keep(shelf: Cache, address: string, weights: Response): Promise<void> {
  for (const older of await shelf.keys()) await shelf.delete(older);
  await shelf.put(address, weights);
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

async function fetched(url: string, how: RequestInit): Promise<Response> {
  const response = await fetch(url, how);
  if (!response.ok) throw new UnusableWeights(`an answer from ${url}`, String(response.status));
  return response;
}
