/** A real worker and a real gateway with the built page, for tests in a browser. Shell. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const PYTHON = join(ROOT, ".venv/bin/python");
const CACHE = join(process.env.XDG_CACHE_HOME || join(process.env.HOME ?? tmpdir(), ".cache"), "sideman", "jax");
const CHECKPOINTS = ["online-small", "offline-small"].map((name) => join(ROOT, "inference/weights", name));

export class Service {
  readonly #folder: string;
  readonly #port: number;
  readonly #metricsPort: number;
  #worker: ChildProcess | null = null;
  #gateway: ChildProcess | null = null;

  private constructor(folder: string, port: number, metricsPort: number) {
    this.#folder = folder;
    this.#port = port;
    this.#metricsPort = metricsPort;
  }

  /** Ready to plan. The first start on a machine compiles for up to a minute. */
  static async start(): Promise<Service> {
    const folder = await mkdtemp(join(tmpdir(), "sideman-browser-"));
    const service = new Service(folder, await freePort(), await freePort());
    const checkpoints = CHECKPOINTS.flatMap((path) => ["--checkpoint", path]);
    service.#worker = run(["-m", "inference", "--socket", service.#socket, "--cache", CACHE, ...checkpoints]);
    await Promise.all([announced(service.#worker), service.startGateway()]);
    await service.#untilReady();
    return service;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}/`;
  }

  get #socket(): string {
    return join(this.#folder, "worker.sock");
  }

  async startGateway(): Promise<void> {
    const page = join(ROOT, "sideman/page");
    const ports = ["--port", String(this.#port), "--metrics-port", String(this.#metricsPort)];
    this.#gateway = run(["-m", "gateway", "--worker", this.#socket, "--page", page, ...ports]);
    await announced(this.#gateway);
  }

  /** Whether there is a gateway; a test that failed may have left none. */
  get isServing(): boolean {
    return this.#gateway !== null && this.#gateway.exitCode === null && this.#gateway.signalCode === null;
  }

  /** As a crash would: nobody is told. */
  async killGateway(): Promise<void> {
    await end(this.#gateway, "SIGKILL");
  }

  async stop(): Promise<void> {
    await end(this.#gateway, "SIGTERM");
    await end(this.#worker, "SIGTERM");
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #untilReady(): Promise<void> {
    const ready = `http://127.0.0.1:${this.#metricsPort}/readyz`;
    while ((await fetch(ready).catch(() => null))?.status !== 200) await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

function run(argv: string[]): ChildProcess {
  return spawn(PYTHON, [...argv, "--with-parent"], { cwd: ROOT, stdio: ["pipe", "pipe", "ignore"] });
}

/** Resolves with the first line a process prints: it is up. */
async function announced(child: ChildProcess): Promise<void> {
  if (child.stdout === null) throw new Error("spawned with a pipe");
  const lines = createInterface({ input: child.stdout });
  const ended = once(child, "exit").then(([code]) => {
    throw new Error(`expected a process that stays, got one that ended with ${code}; run it by hand to see why`);
  });
  await Promise.race([once(lines, "line"), ended]);
  ended.catch(() => {}); // from now on its end is wanted
}

async function end(child: ChildProcess | null, signal: "SIGKILL" | "SIGTERM"): Promise<void> {
  if (child === null || child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, "exit");
  child.kill(signal);
  await gone;
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  if (address === null || typeof address === "string") throw new Error("a TCP server has a port");
  return address.port;
}
