import { expect, test } from "vitest";
import { checksum, pagesOf, withWholeEnd } from "./ogg.ts";

/** A page with one packet of `body`, whose checksum is right. */
function page(granule: bigint, body: number[]): Uint8Array {
  const bytes = new Uint8Array(28 + body.length);
  bytes.set(new TextEncoder().encode("OggS"));
  new DataView(bytes.buffer).setBigUint64(6, granule, true);
  bytes[26] = 1;
  bytes[27] = body.length;
  bytes.set(body, 28);
  new DataView(bytes.buffer).setUint32(22, checksum(bytes), true);
  return bytes;
}

const joined = (...pages: Uint8Array[]) => new Uint8Array(pages.flatMap((each) => [...each]));

test("the checksum is the one of RFC 3533, known from the digits", () => {
  expect(checksum(new TextEncoder().encode("123456789"))).toBe(0x89a1897f);
});

test("with one page of audio, it says more samples and carries the right checksum, and the rest is untouched", () => {
  const stream = joined(page(0n, [1]), page(0n, [2, 3]), page(9430n, [4, 5, 6]));
  expect(withWholeEnd(stream)).toEqual(joined(page(0n, [1]), page(0n, [2, 3]), page(9430n + 1024n, [4, 5, 6])));
});

test("with more pages of audio it comes back as it is", () => {
  const stream = joined(page(0n, [1]), page(0n, [2]), page(4000n, [3]), page(8000n, [4]));
  expect(withWholeEnd(stream)).toBe(stream);
});

test("what is no Ogg stream is refused", () => {
  expect(() => pagesOf(new Uint8Array([82, 73, 70, 70, 0]))).toThrow("expected an Ogg page at byte 0");
});
