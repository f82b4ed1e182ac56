/** Play with Sideman from a browser or Node: `SidemanClient` for the session, `Jam` for what sounds, the protocol's own types. */

export { type Change, type ClientOptions, SidemanClient, type State } from "./client.ts";
export { decode, encode, JSON_TEXT, MSGPACK, type Subprotocol } from "./codec.ts";
export * from "./errors.ts";
export { Frames, type Sounding } from "./frames.ts";
export * from "./generated/chords.ts";
export * from "./generated/codes.ts";
export * from "./generated/messages.ts";
export { endFrame, Jam, type KeptJam, type Note, runAt } from "./jam.ts";
export { type Backoff, PATIENT } from "./opening.ts";
