/** The page's planner is fetched where it costs nobody anything, once, and when there is time for it. */

import { describe, expect, test } from "vitest";
import { Provision, type Surroundings, type When, whenToFetch } from "./provision.ts";

const desk: Surroundings = { connection: { saveData: false, effectiveType: "4g" }, wantsLessData: false, isHandheld: false };
const phone: Surroundings = { ...desk, connection: { type: "wifi", effectiveType: "4g" }, isHandheld: true };

test.each<[string, Surroundings, When]>([
  ["a desk", desk, "inJam"],
  ["a desk whose browser tells nothing", { ...desk, connection: undefined }, "inJam"],
  ["a desk that saves data", { ...desk, connection: { saveData: true } }, "never"],
  ["a desk whose system wants less data", { ...desk, wantsLessData: true }, "never"],
  ["a slow line", { ...desk, connection: { effectiveType: "3g" } }, "never"],
  ["a phone in its own network", phone, "afterJam"],
  ["a phone on the road", { ...phone, connection: { type: "cellular", effectiveType: "4g" } }, "never"],
  ["a phone that does not tell", { ...phone, connection: undefined }, "never"],
])("%s", (_, surroundings, when) => {
  expect(whenToFetch(surroundings)).toBe(when);
});

describe("once, and only in idle time", () => {
  function provided(when: When) {
    const asked: boolean[] = [];
    const idle: (() => void)[] = [];
    const provision = new Provision(
      when,
      (onlyKept) => asked.push(onlyKept),
      (work) => idle.push(work),
    );
    return { provision, asked, idle: () => idle.splice(0).forEach((work) => void work()) };
  }

  test("in the jam, at the first plan and no other", () => {
    const { provision, asked, idle } = provided("inJam");
    provision.jamEnded();
    idle();
    expect(asked).toEqual([]);
    provision.planCame();
    provision.planCame();
    expect(asked).toEqual([]);
    idle();
    provision.planCame();
    idle();
    expect(asked).toEqual([false]);
  });

  test("after the jam", () => {
    const { provision, asked, idle } = provided("afterJam");
    provision.planCame();
    idle();
    expect(asked).toEqual([]);
    provision.jamEnded();
    idle();
    expect(asked).toEqual([false]);
  });

  test("never, but for what an earlier visit left", () => {
    const { provision, asked, idle } = provided("never");
    provision.planCame();
    idle();
    expect(asked).toEqual([true]);
  });
});
