/** Tests of the SDK in Node; they read the golden vectors of the schema. */

import { defineConfig } from "vitest/config";

export default defineConfig({ test: { include: ["tests/**/*.test.ts"], environment: "node" } });
