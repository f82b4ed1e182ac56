/** The app's modules in a real Chromium: Vite serves the sources, an empty page imports them. Shell. */

import { fileURLToPath } from "node:url";
import { type Browser, chromium, type Page } from "playwright-core";
import { createServer, type ViteDevServer } from "vite";
import { CHROMIUM, FLAGS } from "./chromium.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

export interface OpenWorkbench {
  page: Page;
  url: string;
  close(): Promise<void>;
}

/** A page of the app's own origin on which `page.ts` has put what tests may ask for: `page.evaluate(() => workbench.renderNote(...))`. */
export async function openWorkbench(flags: readonly string[] = []): Promise<OpenWorkbench> {
  const server = await createServer({
    root: ROOT,
    configFile: `${ROOT}/vite.config.ts`,
    server: { port: 0, host: "127.0.0.1", hmr: false },
    logLevel: "error",
  });
  await server.listen();
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: [...FLAGS, ...flags] });
  const url = addressOf(server);
  const page = await browser.newPage();
  await page.goto(`${url}browser/workbench.html`);
  await page.waitForFunction(() => "workbench" in globalThis);
  return { page, url, close: () => closeAll(browser, server) };
}

function addressOf(server: ViteDevServer): string {
  const url = server.resolvedUrls?.local[0];
  if (!url) throw new Error("expected Vite to listen, got no address: is the loopback interface up?");
  return url;
}

async function closeAll(browser: Browser, server: ViteDevServer): Promise<void> {
  await browser.close();
  await server.close();
}

let shared: Promise<OpenWorkbench> | null = null;

/** The workbench that all tests of a run share; it ends with the process. */
export function theWorkbench(): Promise<OpenWorkbench> {
  shared ??= openWorkbench();
  return shared;
}
