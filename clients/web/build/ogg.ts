/**
 * Mends the last page of an Ogg stream so that decoders give back all of it. Pure.
 *
 * Chromium drops up to 256 samples at the end of streams whose audio is all in one page (a third of FluidR3Mono's recordings), which would
 * cut their loops short and put them out of tune by up to three semitones. The granule position of the last page says how many samples there
 * are (RFC 3533, section 6); saying some more makes decoders give out what they have. Not one byte of audio is touched.
 */

const GRANULE_AT = 6;
const CHECKSUM_AT = 22;
const SEGMENTS_AT = 26;
/** More than the longest piece seen missing. */
const MORE_SAMPLES = 1024n;

export function withWholeEnd(stream: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const pages = pagesOf(stream);
  const last = pages.at(-1);
  // Two pages of headers and one of audio; longer streams come back whole.
  if (pages.length !== 3 || !last) return stream;
  const mended = stream.slice();
  const page = mended.subarray(last.from, last.until);
  const view = new DataView(page.buffer, page.byteOffset, page.byteLength);
  view.setBigUint64(GRANULE_AT, view.getBigUint64(GRANULE_AT, true) + MORE_SAMPLES, true);
  view.setUint32(CHECKSUM_AT, 0, true);
  view.setUint32(CHECKSUM_AT, checksum(page), true);
  return mended;
}

/** Where the pages of a stream lie. Raises an Error where a page does not begin with its mark. */
export function pagesOf(stream: Uint8Array): { from: number; until: number }[] {
  const pages: { from: number; until: number }[] = [];
  for (let from = 0; from < stream.length; ) {
    if (String.fromCharCode(...stream.subarray(from, from + 4)) !== "OggS")
      throw new Error(`expected an Ogg page at byte ${from}, got something else`);
    const segments = stream[from + SEGMENTS_AT] as number;
    const body = from + SEGMENTS_AT + 1 + segments;
    const sizes = stream.subarray(from + SEGMENTS_AT + 1, body);
    const until = sizes.reduce((sum, size) => sum + size, body);
    pages.push({ from, until });
    from = until;
  }
  return pages;
}

/** RFC 3533, appendix A: CRC-32 with generator 0x04c11db7, not reflected, from zero. */
export function checksum(page: Uint8Array): number {
  let crc = 0;
  for (const byte of page) {
    crc ^= byte << 24;
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x80000000 ? (crc << 1) ^ 0x04c11db7 : crc << 1;
  }
  return crc >>> 0;
}
