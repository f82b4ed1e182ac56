/** Tests that need a real browser: Debian's Chromium, driven over its debugging protocol. */

import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["browser/**/*.test.ts"],
    environment: "node",
    testTimeout: 60_000,
    hookTimeout: 180_000, // the first start of the service on a machine compiles
    fileParallelism: false, // what is played takes the time it takes, and would disturb each other
    isolate: false, // one process for all files: they share a service and a browser
  },
});
