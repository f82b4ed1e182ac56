/** What every element of the page is: drawn by Lit into the page itself, again after each change of the store. Shell. */

import { LitElement } from "lit";
import type { Actions, AppState } from "../state.ts";
import type { Store } from "../store.ts";

export interface Host {
  readonly store: Store<AppState>;
  readonly actions: Actions;
}

export abstract class JamElement extends LitElement {
  host!: Host; // set by `mount` before the element is in the page
  #unwatch: (() => void) | null = null;

  get state(): Readonly<AppState> {
    return this.host.store.state;
  }

  get actions(): Actions {
    return this.host.actions;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.#unwatch = this.host.store.watch(() => this.requestUpdate());
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
