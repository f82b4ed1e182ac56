/** Benchmarks in a real browser; they print, and judge nothing. */

import { defineConfig } from "vitest/config";

export default defineConfig({ test: { include: ["browser/**/*.bench.ts"], environment: "node", disableConsoleIntercept: true } });
