/** A Vorbis decoder of our own for browsers that have none: a chunk by itself, fetched only by them. Shell. */

import { StbVorbis } from "stb-vorbis";

/** Keeps the recording's own sample rate; playing adapts it. */
export async function decodeByOwnMeans(stream: Uint8Array): Promise<AudioBuffer> {
  await StbVorbis.ready;
  const { sampleRate, channels } = StbVorbis.decode(stream);
  const buffer = new AudioBuffer({ length: channels[0]?.length ?? 1, numberOfChannels: channels.length, sampleRate });
  channels.forEach((samples, channel) => {
    buffer.copyToChannel(new Float32Array(samples), channel);
  });
  return buffer;
}
