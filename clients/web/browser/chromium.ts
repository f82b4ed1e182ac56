/** Debian's Chromium, and how it is started for tests. Pure. */

export const CHROMIUM = process.env.CHROMIUM || "/usr/bin/chromium";

/** No sandbox and no GPU in a container; nothing that calls home; sound without a gesture, as there is nobody to make one. */
export const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--autoplay-policy=no-user-gesture-required",
];
