/** Calls every few milliseconds, also when the page is hidden and its own timers are slowed down. Shell. */

const PERIOD_MS = 5;

setInterval(() => postMessage(0), PERIOD_MS);
