/** Vite plugins: whatever of other people's code is in the bundle or in a worker's, its licence is beside it. Shell. */

import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Plugin } from "vite";

const FILE = "licences.txt";
const NAMES = ["LICENSE", "LICENSE.md", "LICENCE", "license"];

/** One for the page and one for its workers, which are bundled before. */
export function licences(): { page: Plugin; workers: Plugin } {
  const packages = new Set<string>();
  return { workers: collector("licences of workers", packages), page: { ...collector("licences", packages), ...writer(packages) } };
}

function collector(name: string, packages: Set<string>): Plugin {
  return {
    name,
    apply: "build",
    renderChunk(_, chunk) {
      for (const folder of chunk.moduleIds.map(packageOf)) if (folder !== null) packages.add(folder);
      return null;
    },
  };
}

function writer(packages: ReadonlySet<string>): Pick<Plugin, "generateBundle"> {
  return {
    generateBundle() {
      const texts = [...packages].sort().map(licenceOf);
      this.emitFile({ type: "asset", fileName: FILE, source: texts.join("\n\n") });
    },
  };
}

/** Folder of the package a module is from; null for our own. */
export function packageOf(module: string): string | null {
  const found = /^(.*\/node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(module);
  return found?.[1] ?? null;
}

function licenceOf(folder: string): string {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const path = NAMES.map((each) => join(folder, each)).find(existsSync);
  if (path === undefined)
    throw new Error(`expected a licence in ${dirname(folder)}, got none for ${name}: name its file in build/licences.ts`);
  return `${name} ${version} (${license})\n\n${readFileSync(path, "utf8").trim()}`;
}
