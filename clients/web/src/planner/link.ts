/** What page and worker say to each other. Messages of the protocol travel as they would on a socket: text or MessagePack. Pure. */

export type Packet = string | ArrayBuffer;

/** `kept`: only what the browser kept of an earlier visit; `idly`: behind all other traffic. */
export type WeightsFrom = "anywhere" | "idly" | "kept";

/** `begin` opens a session in place of the one before; `said` is a message of its client. */
export type ToWorker =
  | { readonly kind: "load"; readonly url: string; readonly from: WeightsFrom } // url of planner.json
  | { readonly kind: "begin"; readonly session: number; readonly seed: number }
  | { readonly kind: "said"; readonly session: number; readonly packet: Packet };

export type FromWorker =
  | { readonly kind: "ready"; readonly model: string }
  | { readonly kind: "failed"; readonly problem: string }
  | { readonly kind: "told"; readonly session: number; readonly packet: Packet };
