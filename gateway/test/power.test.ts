// The short form of the power test, which mounts a disk of its own; power.ts cuts it and counts.
import { expect } from 'vitest';
import { needs } from './needs.ts';
import { cutPower } from './power.ts';

const cut = needs('root', 'mkfs.ext4', 'mount', 'umount');

cut('a power cut takes nothing acknowledged, whether each block or each second is synced', async () => {
  for (const durability of ['interval', 'batch'] as const) {
    const { acknowledged, lost, twice } = await cutPower(durability, 0.3);
    expect({ durability, lost, twice }).toEqual({ durability, lost: 0, twice: 0 });
    expect(acknowledged).toBeGreaterThan(100);
  }
});

cut('where nobody waits, a power cut takes no more than the last interval and a sync', async () => {
  const { given, twice, window } = await cutPower('interval', 0);
  expect(given).toBeGreaterThan(100);
  expect(twice).toBe(0);
  // 1 s of interval, 50 ms on main; the rest is this machine's own delay.
  expect(window).toBeLessThan(2500);
});
