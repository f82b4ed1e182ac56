/**
 * When to fetch the page's own planner: megabytes that are there if the service goes away, and that most visits never need. Pure.
 *
 * It cannot be fetched when it is needed, because then its files are gone with the service. So it is fetched once in a first jam, and
 * the browser keeps it for later visits; but nobody's data allowance is spent on it, and no phone works on it while music plays.
 */

/** What a browser tells of its surroundings, as far as it does. */
export interface Surroundings {
  readonly connection: { readonly saveData?: boolean; readonly type?: string; readonly effectiveType?: string } | undefined;
  readonly wantsLessData: boolean; // by the style query
  readonly isHandheld: boolean; // a finger is the pointer
}

/** `never`: only what the browser has kept from an earlier visit is used. */
export type When = "inJam" | "afterJam" | "never";

const METERED = ["cellular", "bluetooth", "wimax"];

export function whenToFetch({ connection, wantsLessData, isHandheld }: Surroundings): When {
  if (wantsLessData || connection?.saveData === true) return "never";
  if (connection?.type !== undefined && METERED.includes(connection.type)) return "never";
  if (connection?.effectiveType !== undefined && connection.effectiveType !== "4g") return "never";
  if (!isHandheld) return "inJam";
  return connection === undefined ? "never" : "afterJam"; // a phone that does not tell may well be paying for it
}

/** Calls `prepare` once, when the time has come and the browser has nothing better to do. Told of every plan and of every change of phase. */
export class Provision {
  #isDue = false;
  #isDone = false;
  readonly #when: When;
  readonly #prepare: (onlyKept: boolean) => void;
  readonly #idly: (work: () => void) => void;

  constructor(when: When, prepare: (onlyKept: boolean) => void, idly: (work: () => void) => void) {
    this.#when = when;
    this.#prepare = prepare;
    this.#idly = idly;
  }

  /** There is a service that plans: whoever comes as far as this plays. */
  planCame(): void {
    this.#isDue = true;
    if (this.#when !== "afterJam") this.#begin();
  }

  jamEnded(): void {
    if (this.#isDue) this.#begin();
  }

  #begin(): void {
    if (this.#isDone) return;
    this.#isDone = true;
    this.#idly(() => this.#prepare(this.#when === "never"));
  }
}
