/** Small checks that read unknown data as what it should be, and say where it is not. Pure. */

/** What was read is no session of this app; the facts are attributes, the sentence is for people. */
export class SessionUnreadable extends Error {
  constructor(
    readonly expected: string,
    readonly got: string,
    readonly advice: string,
  ) {
    super(`expected ${expected}, got ${got}: ${advice}`);
    this.name = "SessionUnreadable";
  }
}

/** `path` is for the sentence, as in `$.notes[3].pitch`. */
export type Check<T> = (value: unknown, path: string) => T;

const ADVICE = "choose a session that Sideman has saved, unchanged";

function refuse(expected: string, value: unknown, path: string): never {
  const got = value === undefined ? "nothing" : JSON.stringify(value);
  throw new SessionUnreadable(`${expected} at ${path}`, got.length > 40 ? `${got.slice(0, 40)}…` : got, ADVICE);
}

export const number =
  (least: number, most: number): Check<number> =>
  (value, path) =>
    typeof value === "number" && value >= least && value <= most ? value : refuse(`a number from ${least} to ${most}`, value, path);

export const whole =
  (least: number, most: number): Check<number> =>
  (value, path) =>
    Number.isInteger(number(least, most)(value, path)) ? (value as number) : refuse("a whole number", value, path);

export const text =
  (longest: number): Check<string> =>
  (value, path) =>
    typeof value === "string" && value.length <= longest ? value : refuse(`text of at most ${longest} characters`, value, path);

export const flag: Check<boolean> = (value, path) => (typeof value === "boolean" ? value : refuse("true or false", value, path));

export const oneOf =
  <T>(...choices: readonly T[]): Check<T> =>
  (value, path) =>
    choices.includes(value as T) ? (value as T) : refuse(choices.map((each) => JSON.stringify(each)).join(" or "), value, path);

export const either =
  <A, B>(isFirst: (value: unknown) => boolean, first: Check<A>, second: Check<B>): Check<A | B> =>
  (value, path) =>
    isFirst(value) ? first(value, path) : second(value, path);

export const list =
  <T>(item: Check<T>): Check<readonly T[]> =>
  (value, path) =>
    Array.isArray(value) ? value.map((each, i) => item(each, `${path}[${i}]`)) : refuse("a list", value, path);

/** Fields that are not asked for are left out: a later version may have more. */
export const fields =
  <T extends object>(checks: { readonly [Name in keyof T]: Check<T[Name]> }): Check<T> =>
  (value, path) => {
    const entries = Object.entries(table((each) => each)(value, path));
    const given = new Map(entries);
    const names = Object.keys(checks) as (keyof T & string)[];
    return Object.fromEntries(names.map((name) => [name, checks[name](given.get(name), `${path}.${name}`)])) as T;
  };

export const table =
  <T>(item: Check<T>): Check<Readonly<Record<string, T>>> =>
  (value, path) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return refuse("an object", value, path);
    return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, item(each, `${path}.${name}`)]));
  };
