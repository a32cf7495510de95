// Bounds the size of MQTT packets on a socket: the broker's parser collects a packet of any length in memory before it
// looks at it. Used by the broker on each connection.
import type { Socket } from 'node:net';

/** Follows packet borders in a byte stream, however it is cut; sees fixed headers and counts the rest. Pure. */
export class PacketMeter {
  readonly #most: number;
  /** Bytes of the current packet's body still to come. */
  #body = 0;
  /** Within a length field: its value so far and the weight of its next byte; 0 outside. */
  #length = 0;
  #weight = 0;

  /** @param most largest allowed remaining length, bytes */
  constructor(most: number) {
    this.#most = most;
  }

  /** False as soon as a header announces more than allowed, or is none. */
  take(chunk: Uint8Array): boolean {
    for (let i = 0; i < chunk.length;) {
      if (this.#body > 0) {
        const part = Math.min(this.#body, chunk.length - i);
        this.#body -= part;
        i += part;
      } else if (this.#weight === 0) {
        this.#weight = 1;
        this.#length = 0;
        i++;
      } else {
        const byte = chunk[i++] ?? 0;
        this.#length += (byte & 127) * this.#weight;
        if (this.#length > this.#most) return false;
        if (byte & 128) {
          this.#weight *= 128;
          if (this.#weight > 128 ** 3) return false;
        } else {
          this.#body = this.#length;
          this.#weight = 0;
        }
      }
    }
    return true;
  }
}

/** Destroys the socket and calls `refused` when a packet is longer than `most` bytes; nothing of that packet is handed on. */
export function limitPackets(socket: Socket, most: number, refused: () => void): void {
  const meter = new PacketMeter(most);
  const read = socket.read.bind(socket);
  socket.read = (size?: number): unknown => {
    const chunk: unknown = read(size);
    if (!(chunk instanceof Uint8Array) || meter.take(chunk)) return chunk;
    refused();
    socket.destroy();
    return null;
  };
}
