/** The pictures of the documentation, taken in the same browser as the tests: `npm run pictures`. */

import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["browser/pictures.ts"],
    environment: "node",
    testTimeout: 600_000,
    hookTimeout: 300_000,
    fileParallelism: false,
    isolate: false,
  },
});
