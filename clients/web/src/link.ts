/** The page's session with the gateway: how the connection stands, round trips, and settings on their way. Shell. */

import { type Change, type GatewayMessage, SidemanClient, type SidemanError, type State } from "sideman-client";
import { RoundTrips } from "./latency.ts";
import { Provision, type Surroundings, whenToFetch } from "./planner/provision.ts";
import { Standby } from "./planner/standby.ts";
import { protocolChange } from "./settings.ts";
import type { AppState, Toast } from "./state.ts";
import type { Store } from "./store.ts";

const TELL_MS = 120; // between a change of a setting and its message

type Say = (text: string, kind: Toast["kind"]) => void;

export class Link {
  readonly client: SidemanClient;
  readonly #standby = new Standby(new URL("planner/planner.json", document.baseURI).href);
  readonly #provision = new Provision(
    whenToFetch(surroundings()),
    (onlyKept) => void this.#standby.prepare(onlyKept).then((isPrepared) => this.#store.set({ isPrepared })),
    (work) => (window.requestIdleCallback ?? setTimeout)(work),
  );
  readonly #store: Store<AppState>;
  readonly #say: Say;
  readonly #hear: (message: GatewayMessage) => void;
  readonly #trips = new RoundTrips();
  #untold: Change | null = null; // changes the gateway will hear of in a moment

  /** `hear` is given every message after the client's jam took it. */
  constructor(store: Store<AppState>, say: Say, hear: (message: GatewayMessage) => void) {
    this.#store = store;
    this.#say = say;
    this.#hear = hear;
    const url = new URL("jam", document.baseURI);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    this.client = new SidemanClient(url.href, {
      name: "sideman web",
      WebSocket: this.#standby.WebSocket,
      onMessage: (message, roundTripMs) => this.#take(message, roundTripMs),
      onState: (state, problem) => this.#connected(state, problem),
    });
    this.#standby.onChange = (isOnPage) => store.set({ isOnPage });
    store.watch(({ phase }) => phase === "idle" && this.#provision.jamEnded());
    addEventListener("online", () => this.client.hurry());
  }

  /** A slider that is drawn changes sixty times a second; the gateway hears of it a few times (C5). */
  configureSoon(change: Change): void {
    if (Object.keys(change).length === 0) return;
    if (this.#untold === null) setTimeout(() => this.#configure(this.#untold ?? {}), TELL_MS);
    this.#untold = { ...this.#untold, ...change };
  }

  #configure(change: Change): void {
    this.#untold = null;
    this.client.configure(change).catch((problem: SidemanError) => {
      this.#say(this.#store.state.texts.settingRefused + problem.got, "bad");
    });
  }

  #take(message: GatewayMessage, roundTripMs: number | null): void {
    if (message.type === "plan") {
      if (roundTripMs !== null) this.#trips.add(roundTripMs);
      this.#store.set({ roundTripMs: this.#trips.last, p95Ms: this.#trips.p95, timing: message.timing });
      this.#provision.planCame(); // as long as there is a service to load the page's planner from
    }
    this.#hear(message);
  }

  #connected(connection: State, problem: SidemanError | null): void {
    const { connection: before, texts } = this.#store.state;
    this.#store.set({ connection });
    if (connection === "open") {
      const models = this.client.welcome?.models ?? [];
      this.#store.set({ models, reconnects: this.client.reconnects });
      if (this.#standby.isActive) this.#say(texts.onPage, "info");
      else if (before === "reconnecting") this.#say(texts.back, "good");
      if (before !== "reconnecting") this.#greet(models);
    } else if (connection === "reconnecting" && before === "open" && !this.#store.state.isOnPage) this.#say(texts.lost, "bad");
    else if (connection === "closed" && problem !== null) this.#say(texts.refused + problem.got, "bad");
  }

  /** Tells a new session how this player likes it. A model that is not here any more gives way to the service's choice. */
  #greet(models: readonly string[]): void {
    const { settings } = this.#store.state;
    if (!models.includes(settings.model)) this.#store.set({ settings: { ...settings, model: "" } });
    this.#configure(protocolChange(null, this.#store.state.settings) as Change);
  }
}

function surroundings(): Surroundings {
  const { connection } = navigator as { connection?: NonNullable<Surroundings["connection"]> };
  const asks = (query: string) => matchMedia(query).matches;
  return { connection, wantsLessData: asks("(prefers-reduced-data: reduce)"), isHandheld: asks("(pointer: coarse)") };
}
