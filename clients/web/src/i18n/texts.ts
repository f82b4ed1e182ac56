/** The language in use. Pure. */

import type { Language } from "../settings.ts";
import { de } from "./de.ts";
import { en, type Texts } from "./en.ts";

export type { Texts };

/** The texts of a choice; `system` is the first of the browser's languages that we have. */
export function textsFor(choice: Language, browserLanguages: readonly string[]): Texts {
  return languageCode(choice, browserLanguages) === "de" ? de : en;
}

export function languageCode(choice: Language, browserLanguages: readonly string[]): "en" | "de" {
  if (choice !== "system") return choice;
  const first = browserLanguages.map((tag) => tag.slice(0, 2)).find((code) => code === "de" || code === "en");
  return first === "de" ? "de" : "en";
}
