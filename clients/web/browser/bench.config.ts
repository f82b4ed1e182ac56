/** Benchmarks in a real browser; they print, and judge nothing. */

import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["browser/**/*.bench.ts"],
    environment: "node",
    disableConsoleIntercept: true,
    fileParallelism: false,
    testTimeout: 600_000,
    hookTimeout: 300_000,
  },
});
