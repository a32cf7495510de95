// Seeded randomness for the plant models: one independent stream per (seed, asset, purpose), in 32-bit integer
// arithmetic only, so that the same seed gives the same plant on every machine and a new asset disturbs no other.
// Called by simulators/plants; hands on numbers, knows no time.

/** FNV-1a over UTF-16 code units; unsigned 32 bits. */
export function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

/** sfc32 (Doty-Humphrey), with the draws a plant model needs. */
export class Random {
  private a: number;
  private b: number;
  private c: number;
  private counter = 1;
  private spare: number | undefined;

  constructor(key: string) {
    this.a = fnv1a(key) | 0;
    this.b = fnv1a(`${key}:b`) | 0;
    this.c = fnv1a(`${key}:c`) | 0;
    for (let i = 0; i < 15; i++) this.next();
  }

  /** Uniform in [0, 1). */
  next(): number {
    const sum = (((this.a + this.b) | 0) + this.counter) | 0;
    this.counter = (this.counter + 1) | 0;
    this.a = this.b ^ (this.b >>> 9);
    this.b = (this.c + (this.c << 3)) | 0;
    this.c = (this.c << 21) | (this.c >>> 11);
    this.c = (this.c + sum) | 0;
    return (sum >>> 0) / 4294967296;
  }

  /** Uniform in [low, high). */
  between(low: number, high: number): number {
    return low + (high - low) * this.next();
  }

  /** Standard normal, by the polar method. */
  gaussian(): number {
    if (this.spare !== undefined) {
      const value = this.spare;
      this.spare = undefined;
      return value;
    }
    let x: number, y: number, square: number;
    do {
      x = 2 * this.next() - 1;
      y = 2 * this.next() - 1;
      square = x * x + y * y;
    } while (square >= 1 || square === 0);
    const factor = Math.sqrt((-2 * Math.log(square)) / square);
    this.spare = y * factor;
    return x * factor;
  }

  /** Exponential with this mean. */
  exponential(mean: number): number {
    return -mean * Math.log(1 - this.next());
  }
}

/** The stream of one purpose of one asset. */
export function stream(seed: number, asset: string, purpose: string): Random {
  return new Random(`${seed}:${asset}:${purpose}`);
}

/** Coloured noise (Ornstein-Uhlenbeck): standard deviation `sigma`, correlation time `tau` and step `dt` in seconds. */
export class Coloured {
  /** Within ±2.5 sigma, so that a calm plant stays calm. */
  value: number;
  private state: number;
  private readonly random: Random;
  private readonly sigma: number;
  private readonly keep: number;
  private readonly kick: number;

  constructor(random: Random, sigma: number, tau: number, dt: number) {
    this.random = random;
    this.sigma = sigma;
    this.keep = Math.exp(-dt / tau);
    this.kick = sigma * Math.sqrt(1 - this.keep * this.keep);
    this.state = sigma * random.gaussian();
    this.value = clamp(this.state, -2.5 * sigma, 2.5 * sigma);
  }

  step(): number {
    this.state = this.keep * this.state + this.kick * this.random.gaussian();
    this.value = clamp(this.state, -2.5 * this.sigma, 2.5 * this.sigma);
    return this.value;
  }
}

/**
 * White noise of a sensor as a pure function of its key and the step: about standard normal, within ±3.5. A sensor
 * can so be read or left unread at any step without changing what follows.
 */
export function white(key: number, step: number): number {
  let hash = Math.imul(step + 0x7f4a7c15, 0x9e3779b1) ^ key;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  hash ^= hash >>> 16;
  const sum = (hash & 255) + ((hash >>> 8) & 255) + ((hash >>> 16) & 255) + (hash >>> 24);
  return (sum - 510) / 147.8;
}

export function clamp(value: number, low: number, high: number): number {
  return value < low ? low : value > high ? high : value;
}
