/** Decodes Ogg Vorbis: by the browser where it can, otherwise by a decoder that is fetched only then (Safari refuses Ogg). Shell. */

export async function decodeVorbis(context: BaseAudioContext, stream: Uint8Array<ArrayBuffer>): Promise<AudioBuffer> {
  try {
    return await context.decodeAudioData(stream.slice().buffer); // a copy, because the browser takes what it is given
  } catch {
    return decodeByOwnMeans(stream);
  }
}

/** Keeps the recording's own sample rate; playing adapts it. */
async function decodeByOwnMeans(stream: Uint8Array<ArrayBuffer>): Promise<AudioBuffer> {
  const { StbVorbis } = await import("stb-vorbis");
  await StbVorbis.ready;
  const { sampleRate, channels } = StbVorbis.decode(stream);
  const buffer = new AudioBuffer({ length: channels[0]?.length ?? 1, numberOfChannels: channels.length, sampleRate });
  channels.forEach((samples, channel) => {
    buffer.copyToChannel(new Float32Array(samples), channel);
  });
  return buffer;
}
