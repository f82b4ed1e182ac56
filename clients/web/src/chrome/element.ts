/** What every element of the page is: drawn by Lit into the page itself, again when something changes that it has read. Shell. */

import { LitElement, type PropertyValues } from "lit";
import type { Actions, AppState } from "../state.ts";
import type { Store } from "../store.ts";

export interface Host {
  readonly store: Store<AppState>;
  readonly actions: Actions;
}

export abstract class JamElement extends LitElement {
  host!: Host; // set by `mount` before the element is in the page
  #unwatch: (() => void) | null = null;
  /** What was read when it was drawn last, by name: in a jam something changes many times a second, for most elements nothing of theirs. */
  readonly #read = new Map<keyof AppState, unknown>();
  readonly #reader: Readonly<AppState> = new Proxy({} as AppState, {
    get: (_, name: keyof AppState) => {
      const value = this.host.store.state[name];
      if (this.isUpdatePending) this.#read.set(name, value); // else it is a handler that reads
      return value;
    },
  });

  get state(): Readonly<AppState> {
    return this.#reader;
  }

  get actions(): Actions {
    return this.host.actions;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.#unwatch = this.host.store.watch((state) => {
      for (const [name, value] of this.#read) if (!Object.is(state[name], value)) return this.requestUpdate();
    });
  }

  protected override willUpdate(changes: PropertyValues): void {
    super.willUpdate(changes);
    this.#read.clear();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#unwatch?.();
  }

  /** Into the page: one style sheet, one focus order, labels that reach across elements. */
  protected override createRenderRoot(): HTMLElement {
    return this;
  }
}

/** Puts a new element at the end of a parent. */
export function mount(name: string, parent: Element, host: Host): void {
  const element = document.createElement(name) as JamElement;
  element.host = host;
  parent.append(element);
}
