/**
 * Messages to bytes and back, for both subprotocols. Pure.
 *
 * Fields this version does not know are ignored, and so is a whole message of a type it does not know: gateways may add.
 */

import { encode as pack, decode as unpack } from "@msgpack/msgpack";
import { UnreadableMessage } from "./errors.ts";
import { type ClientMessage, type GatewayMessage, SHAPES, SUBPROTOCOLS } from "./generated/messages.ts";

export type Subprotocol = (typeof SUBPROTOCOLS)[number];
export const [MSGPACK, JSON_TEXT] = SUBPROTOCOLS;

/** Writes one message: bytes for MessagePack (a binary message), text for JSON. */
export function encode(message: ClientMessage, subprotocol: Subprotocol): Uint8Array<ArrayBuffer> | string {
  return subprotocol === MSGPACK ? pack(message, { ignoreUndefined: true }) : JSON.stringify(message);
}

/** Size of an encoded message on the wire. */
export function numBytes(data: Uint8Array | string): number {
  return typeof data === "string" ? new TextEncoder().encode(data).length : data.byteLength;
}

/** Reads one message; null if it is of a type this version does not know. Throws UnreadableMessage. */
export function decode(data: string | ArrayBuffer | Uint8Array, subprotocol: Subprotocol): GatewayMessage | null {
  if ((typeof data === "string") === (subprotocol === MSGPACK)) {
    const got = typeof data === "string" ? "a text message" : "a binary message";
    throw new UnreadableMessage({ expected: `messages of ${subprotocol}`, got, advice: "connect to a Sideman gateway" });
  }
  const message = parse(data);
  const type = isRecord(message) ? message.type : undefined;
  if (typeof type !== "string") throw unreadable("something without a type");
  if (SHAPES[type] === undefined || type !== type.toLowerCase()) return null;
  const wrong = faultOf(message, type, "$");
  if (wrong !== null) throw unreadable(wrong);
  return message as unknown as GatewayMessage; // checked field by field against the generated shapes just now
}

function parse(data: string | ArrayBuffer | Uint8Array): unknown {
  try {
    return typeof data === "string" ? JSON.parse(data) : unpack(data);
  } catch (problem) {
    throw unreadable(problem instanceof Error ? problem.message : "bytes of another kind");
  }
}

function unreadable(got: string): UnreadableMessage {
  const advice = "update this package, or report it if the versions are the same";
  return new UnreadableMessage({ expected: "a gateway message", got, advice });
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** What is wrong with a value that should have this shape, as a short sentence; null if nothing is. */
function faultOf(value: unknown, shape: string, path: string): string | null {
  if (shape.startsWith("?")) return value === undefined ? null : faultOf(value, shape.slice(1), path);
  if (shape.endsWith("|null")) return value === null ? null : faultOf(value, shape.slice(0, -"|null".length), path);
  if (shape.endsWith("[]")) {
    if (!Array.isArray(value)) return `${path} that is no list`;
    return firstFault(value.map((item, index) => () => faultOf(item, shape.slice(0, -"[]".length), `${path}[${index}]`)));
  }
  const fields = SHAPES[shape];
  if (fields !== undefined) {
    if (!isRecord(value)) return `${path} that is no object`;
    return firstFault(
      Object.entries(fields).map(
        ([name, inner]) =>
          () =>
            faultOf(value[name], inner, `${path}.${name}`),
      ),
    );
  }
  const right = shape === "int" ? Number.isSafeInteger(value) : typeof value === shape;
  return right ? null : `${path} that is no ${shape}`;
}

function firstFault(checks: readonly (() => string | null)[]): string | null {
  for (const check of checks) {
    const fault = check();
    if (fault !== null) return fault;
  }
  return null;
}
