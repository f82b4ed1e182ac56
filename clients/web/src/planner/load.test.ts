import { expect, test } from "vitest";
import { checkedModel } from "./load.ts";
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
