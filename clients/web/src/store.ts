/** One small observable record; whoever watches is told once after a burst of changes. Pure but for the microtask. */

export class Store<T extends object> {
  #state: T;
  readonly #watchers = new Set<(state: T) => void>();
  #isTelling = false;

  constructor(state: T) {
    this.#state = state;
  }

  get state(): Readonly<T> {
    return this.#state;
  }

  set(change: Partial<T>): void {
    const names = Object.keys(change) as (keyof T)[];
    if (names.every((name) => Object.is(this.#state[name], change[name]))) return;
    this.#state = { ...this.#state, ...change };
    if (this.#isTelling) return;
    this.#isTelling = true;
    queueMicrotask(() => {
      this.#isTelling = false;
      for (const watcher of this.#watchers) watcher(this.#state);
    });
  }

  /** Calls `watcher` after each change until the function it gives is called. */
  watch(watcher: (state: Readonly<T>) => void): () => void {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }
}
