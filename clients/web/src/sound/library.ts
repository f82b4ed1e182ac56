/** Instruments in memory, each loaded once, one at a time as they are chosen. Shell. */

import type { Instrument } from "../contracts.ts";
import { loadSampler, type Player } from "./sampler.ts";

export class Library {
  private readonly players = new Map<Instrument, Promise<Player>>();
  private last: Promise<unknown> = Promise.resolve();

  /** `context` only decodes; the players sound in any context. `assets` is the folder of the baked instruments, ending in "/". */
  constructor(
    private readonly context: BaseAudioContext,
    private readonly assets: string,
  ) {}

  /** Rejects with one sentence; the next call tries again. */
  load(instrument: Instrument): Promise<Player> {
    const known = this.players.get(instrument);
    if (known) return known;
    // One after the other: on a slow line the one asked for first is there first.
    const loading = this.last.then(() => loadSampler(this.context, `${this.assets}${instrument}.sound`));
    this.last = loading.catch(() => undefined);
    this.players.set(instrument, loading);
    loading.catch(() => this.players.delete(instrument));
    return loading;
  }

  /** A decoded instrument is up to 20 MB: those not chosen any more are forgotten. */
  keepOnly(chosen: readonly (Instrument | null)[]): void {
    for (const instrument of this.players.keys()) if (!chosen.includes(instrument)) this.players.delete(instrument);
  }
}
