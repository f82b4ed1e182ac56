/** Round trips and tapped tempi. */

import { expect, test } from "vitest";
import { languageCode } from "./i18n/texts.ts";
import { RoundTrips, TapTempo } from "./latency.ts";
import { Store } from "./store.ts";

test("the last trip, and the one that 95 of 100 do not exceed", () => {
  const trips = new RoundTrips();
  expect([trips.last, trips.p95]).toEqual([null, null]);
  for (let ms = 1; ms <= 100; ms++) trips.add(ms);
  expect([trips.last, trips.p95]).toEqual([100, 97]);
});

test("two taps make a tempo, a pause begins anew", () => {
  const taps = new TapTempo();
  expect([taps.tap(0), taps.tap(500), taps.tap(1_010)]).toEqual([null, 120, 119]);
  expect([taps.tap(9_000), taps.tap(10_000)]).toEqual([null, 60]);
});

test("a store tells once after many changes, and not at all when nothing differs", async () => {
  const store = new Store({ a: 1, b: 2 });
  const seen: unknown[] = [];
  const stop = store.watch((state) => seen.push(state));
  store.set({ a: 3 });
  store.set({ b: 4 });
  store.set({ b: 4 });
  await Promise.resolve();
  expect(seen).toEqual([{ a: 3, b: 4 }]);
  store.set({ a: 3 });
  await Promise.resolve();
  stop();
  store.set({ a: 5 });
  await Promise.resolve();
  expect(seen).toHaveLength(1);
});

test("the browser's first language that we have is taken", () => {
  expect(languageCode("system", ["fr-FR", "de-AT", "en"])).toBe("de");
  expect(languageCode("system", ["fr"])).toBe("en");
  expect(languageCode("en", ["de"])).toBe("en");
});
