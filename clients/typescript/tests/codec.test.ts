/** Golden messages: made by another encoder, read and written by ours. */

import { decode as unpack } from "@msgpack/msgpack";
import { describe, expect, test } from "vitest";
import { type ClientMessage, decode, encode, JSON_TEXT, MSGPACK, UnreadableMessage } from "../src/index.ts";
import { MESSAGES } from "./vectors.ts";

const bytes = (hex: string) => Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
const fromGateway = MESSAGES.filter((vector) => vector.direction === "gateway");
const fromClient = MESSAGES.filter((vector) => vector.direction === "client");

describe.each(fromGateway.map((vector) => [vector.name, vector] as const))("gateway: %s", (_, vector) => {
  test("C1 both subprotocols say the same", () => {
    expect(decode(bytes(vector.msgpack), MSGPACK)).toEqual(vector.message);
    expect(decode(JSON.stringify(vector.message), JSON_TEXT)).toEqual(vector.message);
  });
});

describe.each(fromClient.map((vector) => [vector.name, vector] as const))("client: %s", (_, vector) => {
  test("C1 what we write is what the vector says", () => {
    const message = unpack(bytes(vector.msgpack)) as ClientMessage;
    expect(unpack(encode(message, MSGPACK) as Uint8Array)).toEqual(message);
    expect(JSON.parse(encode(message, JSON_TEXT) as string)).toEqual(message);
  });
});

test("the bytes are the vector's own where no number is a whole fraction", () => {
  const same = fromClient.filter(({ msgpack }) => {
    const written = encode(unpack(bytes(msgpack)) as ClientMessage, MSGPACK) as Uint8Array;
    return Buffer.from(written).toString("hex") === msgpack;
  });
  expect(same.length).toBeGreaterThan(fromClient.length / 2);
});

test("what is left undefined is not sent", () => {
  const message = { type: "configure", bpm: 96, model: undefined } as unknown as ClientMessage;
  expect(unpack(encode(message, MSGPACK) as Uint8Array)).toEqual({ type: "configure", bpm: 96 });
});

test("fields and messages of a later version are ignored", () => {
  expect(decode('{"type":"moving","within_ms":1000,"where":"elsewhere"}', JSON_TEXT)).toMatchObject({ within_ms: 1000 });
  expect(decode('{"type":"applause","loud":true}', JSON_TEXT)).toBeNull();
});

test.each([
  ["not json", "expected a gateway message"],
  ["[]", "something without a type"],
  ['{"type":"keep","seq":1}', "$.reason that is no string"],
  ['{"type":"keep","seq":1.5,"reason":"late"}', "$.seq that is no int"],
  ['{"type":"harmonized","seq":1,"first_frame":0,"until":4,"frames":4,"chords":[{"start":0}]}', "$.chords[0].length that is no int"],
  ['{"type":"welcome","session":"a","seed":1,"version":1,"models":["x",3],"settings":{},"limits":{}}', "$.models[1] that is no string"],
])("C2 what breaks the shape is refused with its place: %s", (text, place) => {
  expect(() => decode(text, JSON_TEXT)).toThrow(place);
});

test("a message of the other subprotocol is refused", () => {
  expect(() => decode("{}", MSGPACK)).toThrow(UnreadableMessage);
  expect(() => decode(new Uint8Array([0xc0]), JSON_TEXT)).toThrow("expected messages of sideman.v1.json, got a binary message");
});
