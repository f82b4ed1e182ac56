/** Decodes Ogg Vorbis: by the browser where it can, otherwise by a decoder that is fetched only then (Safari refuses Ogg). Shell. */

export async function decodeVorbis(context: BaseAudioContext, stream: Uint8Array<ArrayBuffer>): Promise<AudioBuffer> {
  try {
    return await context.decodeAudioData(stream.slice().buffer); // a copy, because the browser takes what it is given
  } catch {
    const { decodeByOwnMeans } = await import("./own_decoder.ts");
    return decodeByOwnMeans(stream);
  }
}
