import { describe, expect, test } from "vitest";
import { Network } from "./network.ts";
import { finish, type PlanRequest, Slot } from "./slots.ts";
import { shipped, tiny } from "./vectors.ts";
import { Weights } from "./weights.ts";

const network = new Network(new Weights(tiny.manifest, tiny.data), tiny.manifest.vocabulary);
const plan = (slot: Slot, request: PlanRequest) => finish(slot.plan(network, request));
const [some] = tiny.plans.filter(({ request }) => request.firstFrame === 100 && request.temperature > 0);
if (some === undefined) throw new Error("expected a plan after 100 frames among the vectors");

describe("a network of toy sizes", () => {
  test.each(tiny.plans)(
    "plans what the worker plans: $request.firstFrame frames, $request.lookaheadFrames more",
    ({ request, planned }) => {
      expect(plan(new Slot(network), request).chords).toEqual(planned);
    },
  );

  test("the same in one slot for all, whatever it remembers", () => {
    const slot = new Slot(network);
    for (const { request, planned } of [...tiny.plans, ...tiny.plans.slice().reverse()]) {
      expect(plan(slot, request).chords).toEqual(planned);
    }
  });

  test("asked again, nothing is computed", () => {
    const slot = new Slot(network);
    const first = plan(slot, some.request);
    expect(first.reused).toBe(0);
    expect(plan(slot, some.request)).toEqual({ chords: first.chords, steps: 0, reused: 1 });
  });

  test("another seed keeps the history and chooses the plan anew", () => {
    const slot = new Slot(network);
    plan(slot, some.request);
    const again = plan(slot, { ...some.request, seed: some.request.seed + 1 });
    expect(again.steps).toBeLessThanOrEqual(some.request.lookaheadFrames + 1);
    expect(again.chords).toEqual(plan(new Slot(network), { ...some.request, seed: some.request.seed + 1 }).chords);
  });

  test("what was prepared need not be fed again", () => {
    const slot = new Slot(network);
    const known = { ...some.request, chords: some.request.chords.slice(0, 90), melody: some.request.melody.slice(0, 90) };
    finish(slot.prepare(network, known));
    const made = plan(slot, some.request);
    expect(made.chords).toEqual(some.planned);
    expect(made.steps).toBeLessThan(20 + some.request.lookaheadFrames);
  });

  test("a plan that is dropped half made does no harm", () => {
    const slot = new Slot(network);
    const begun = slot.plan(network, { ...some.request, seed: 5 });
    for (let step = 0; step < 103; step++) begun.next();
    expect(plan(slot, some.request).chords).toEqual(some.planned);
  });
});

describe("the shipped checkpoint", () => {
  const { manifest, data, sha256, plans } = shipped();

  test("is the one the vectors were made with", () => {
    const advice = "run python tests/sideman/make_page_vectors.py --shipped";
    expect(manifest.sha256, `other weights than the vectors': ${advice}`).toBe(sha256);
    expect(plans.length).toBeGreaterThanOrEqual(20);
  });

  test("plans token for token what the service plans", { timeout: 120_000 }, () => {
    const real = new Network(new Weights(manifest, data), manifest.vocabulary);
    const slot = new Slot(real);
    for (const { request, planned } of plans) expect(finish(slot.plan(real, request)).chords).toEqual(planned);
  });
});
