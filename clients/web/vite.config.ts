/** How the page is built: one folder of static files, every address relative, nothing from another host. */

import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import { instruments } from "./build/instruments.ts";
import { licences } from "./build/licences.ts";

const notices = licences();

export default defineConfig({
  base: "./",
  plugins: [instruments(fileURLToPath(new URL("./public/instruments", import.meta.url))), notices.page],
  worker: { plugins: () => [notices.workers] },
  resolve: { alias: { "sideman-client": fileURLToPath(new URL("../typescript/src/index.ts", import.meta.url)) } },
  build: { target: "es2022", assetsInlineLimit: 0, modulePreload: { polyfill: false }, outDir: "../../sideman/page", emptyOutDir: true },
  server: { proxy: { "/jam": { target: "ws://127.0.0.1:8765", ws: true } } },
  test: { include: ["src/**/*.test.ts", "build/**/*.test.ts"], environment: "node" },
});
