// What moves a plant from outside: the load curve over the local day and the rare excursions that raise an alarm.
// Called by the plant models, once a step.
import type { Random } from '../random.ts';
import { clamp } from '../random.ts';

const quarter = 15 * 60_000;

/** Hour of the day (0..24, with fraction) in a time zone, for times in ms; offsets change only on quarter hours. */
export function localHours(timezone: string): (t: number) => number {
  const format = new Intl.DateTimeFormat('en-GB', {
    timeZone: timezone,
    hour: 'numeric',
    minute: 'numeric',
    hourCycle: 'h23',
  });
  let block = NaN;
  let base = 0;
  return (t) => {
    const now = Math.floor(t / quarter);
    if (now !== block) {
      block = now;
      const parts = format.formatToParts(now * quarter);
      const part = (type: string): number => Number(parts.find((each) => each.type === type)?.value ?? 0);
      base = part('hour') + part('minute') / 60;
    }
    return base + (t - block * quarter) / 3_600_000;
  };
}

export type LoadPattern = 'grid' | 'steady' | 'shifts';

/** Load over the day, 0..1: a power station follows the grid, a chemical plant hardly moves, a factory works in shifts. */
export function dailyLoad(pattern: LoadPattern, hour: number): number {
  if (pattern === 'grid') return 0.38 + 0.28 * hump(hour, 8.5, 2.2) + 0.42 * hump(hour, 19, 2.8);
  if (pattern === 'steady') return 0.6 + 0.08 * Math.cos(((hour - 14) / 24) * 2 * Math.PI);
  const day = rise(hour, 5.5, 6.5) * (1 - rise(hour, 21.5, 22.5));
  return 0.3 + 0.45 * day - 0.12 * day * hump(hour, 12.5, 0.5);
}

function hump(hour: number, centre: number, width: number): number {
  const distance = Math.abs(hour - centre);
  const around = Math.min(distance, 24 - distance) / width;
  return Math.exp(-0.5 * around * around);
}

function rise(hour: number, from: number, to: number): number {
  const part = clamp((hour - from) / (to - from), 0, 1);
  return part * part * (3 - 2 * part);
}

/** How often and how long one asset leaves its range. */
export interface ExcursionHabit {
  /** Mean time between two excursions, hours. */
  every: number;
  /** Shortest and longest, minutes. */
  minutes: readonly [number, number];
  /** Weight of each channel; the channel's meaning is the model's. */
  weights: readonly number[];
}

/** Now and then pulls one channel of an asset towards a value beyond its limits, holds it and lets go. */
export class Excursion {
  /** The channel pulled at present; -1 when all is calm. */
  channel = -1;
  /** How far it is pulled: 0..1. */
  amount = 0;
  /** Where to: 0 = at the outer edge of normal, 1 = at the second limit, a little more now and then. */
  depth = 0;
  private readonly random: Random;
  private readonly habit: ExcursionHabit;
  private readonly dt: number;
  private wait: number;
  private left = 0;
  private length = 0;

  /** `dt` is the step in seconds. */
  constructor(random: Random, habit: ExcursionHabit, dt: number) {
    this.random = random;
    this.habit = habit;
    this.dt = dt;
    this.wait = random.exponential(habit.every * 3600);
  }

  step(): void {
    if (this.channel < 0) {
      this.wait -= this.dt;
      if (this.wait <= 0) this.begin();
      return;
    }
    this.left -= this.dt;
    const ramp = Math.min(150, this.length / 3);
    this.amount = clamp(Math.min((this.length - this.left) / ramp, this.left / ramp), 0, 1);
    if (this.left <= 0) {
      this.channel = -1;
      this.amount = 0;
      this.wait = this.random.exponential(this.habit.every * 3600);
    }
  }

  /** The value, pulled if this channel is the one; `first` and `second` are the limits it is pulled past. */
  pull(channel: number, value: number, first: number, second: number): number {
    if (channel !== this.channel) return value;
    return value + this.amount * (first + this.depth * (second - first) - value);
  }

  private begin(): void {
    const { minutes, weights } = this.habit;
    let pick = this.random.next() * weights.reduce((sum, weight) => sum + weight, 0);
    this.channel = weights.findIndex((weight) => (pick -= weight) < 0);
    if (this.channel < 0) this.channel = 0;
    this.length = 60 * minutes[0] * (minutes[1] / minutes[0]) ** this.random.next();
    this.left = this.length;
    this.depth = this.random.next() < 0.8 ? this.random.between(0.35, 0.8) : this.random.between(1.1, 1.3);
  }
}
