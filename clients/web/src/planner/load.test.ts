import { afterEach, describe, expect, test, vi } from "vitest";
import { checkedModel, loadModel } from "./load.ts";
import { tiny } from "./vectors.ts";

const { manifest, data } = tiny;

test("whole weights are taken, and the golden plan comes out", () => {
  const model = checkedModel(manifest, data);
  expect([model.name, model.temperature]).toEqual(["tiny", 0.8]);
});

test("one bit that differs is refused", () => {
  const damaged = data.slice(0);
  new Uint8Array(damaged)[1000] = (new Uint8Array(damaged)[1000] ?? 0) ^ 1;
  expect(() => checkedModel(manifest, damaged)).toThrow(`expected weights with SHA-256 ${manifest.sha256.slice(0, 12)}, got `);
});

test("weights that are whole but plan something else than they should are refused", () => {
  const golden = { ...manifest.golden, chords: [...manifest.golden.chords.slice(1), 0] };
  expect(() => checkedModel({ ...manifest, golden }, data)).toThrow("expected the golden plan, got chords");
});

describe("kept for later visits", () => {
  const ADDRESS = `https://host/planner/${manifest.file}`;
  let fetched: string[];
  let shelf: Map<string, Response>;

  /** A host with the export, and a browser that keeps what it is given. */
  function browse(weights: ArrayBuffer, kept: ArrayBuffer | null = null): void {
    fetched = [];
    shelf = new Map(kept === null ? [] : [[ADDRESS, new Response(kept)]]);
    vi.stubGlobal("fetch", async (url: string) => {
      fetched.push(url);
      return url.endsWith(".json") ? new Response(JSON.stringify(manifest)) : new Response(weights);
    });
    const cache = {
      match: async (url: string) => shelf.get(url)?.clone(),
      keys: async () => [...shelf.keys()],
      delete: async (url: string) => shelf.delete(url),
      put: async (url: string, response: Response) => void shelf.set(url, response),
    };
    vi.stubGlobal("caches", { open: async () => cache });
  }

  const load = (from: "anywhere" | "idly" | "kept") => loadModel("https://host/planner/planner.json", from);
  const fetchedWeights = () => fetched.filter((url) => url === ADDRESS).length;

  afterEach(() => vi.unstubAllGlobals());

  test("the first visit fetches and keeps them in place of older ones, the next one has them", async () => {
    browse(data);
    shelf.set("https://host/planner/older.bin", new Response());
    await load("idly");
    await vi.waitFor(() => expect([...shelf.keys()]).toEqual([ADDRESS]));
    await load("kept");
    await load("anywhere");
    expect(fetchedWeights()).toBe(1);
  });

  test("on a metered line nothing is fetched", async () => {
    browse(data);
    await expect(load("kept")).rejects.toThrow("expected weights kept from an earlier visit, got none");
    expect(fetchedWeights()).toBe(0);
  });

  test("what was kept damaged is thrown away", async () => {
    browse(data, data.slice(8));
    await expect(load("kept")).rejects.toThrow("expected weights with SHA-256");
    expect(shelf.size).toBe(0);
    await load("idly");
    expect(fetchedWeights()).toBe(1);
  });

  test("a browser that keeps nothing fetches each time", async () => {
    browse(data);
    vi.stubGlobal("caches", { open: async () => Promise.reject(new Error("not here")) });
    await load("idly");
    await load("idly");
    expect(fetchedWeights()).toBe(2);
  });
});
