// What every forwarder withstands: kills, resends, drift, changed passwords, a server that is away. Called by contract.ts.
import { expect, test } from 'vitest';
import type { Consumer } from '../../consumer.ts';
import { after, figures, never, randomOf, sent, stream, tags, until } from './bed.ts';
import type { ForwarderBed } from './bed.ts';

/** @param bedOf the bed, once the tests run */
export function faultTests(bedOf: () => ForwarderBed): void {
  const fresh = async (): Promise<Consumer> => {
    await bedOf().clear();
    return bedOf().forwarder(tags);
  };

  test('what was sent is there once, through resends, ends of the gateway in mid-write and a kill of the server', async () => {
    let consumer = await fresh();
    const frames = stream(400, 50);
    const random = randomOf(7);
    const kills = [120, 260];
    for (let at = 0; at < frames.length;) {
      const block = frames.slice(at, at + 1 + Math.floor(random() * 30));
      if (at > (kills[0] ?? Infinity)) {
        kills.shift();
        const writing = consumer.write(block, never()).then(
          () => {},
          () => {},
        );
        await after(random() * 10);
        await bedOf().kill();
        await writing;
        await bedOf().start();
      } else if (random() < 0.3) {
        // The gateway ends while it sends; the next one begins a little before.
        const stop = new AbortController();
        const writing = consumer.write(block, stop.signal).then(
          () => {},
          () => {},
        );
        await after(random() * 20);
        stop.abort();
        await writing;
        await consumer.close();
        consumer = bedOf().forwarder(tags);
        at = Math.max(0, at - Math.floor(random() * 20));
      } else {
        await until(consumer, block);
        if (random() < 0.2) await until(consumer, block);
        at += block.length;
      }
    }
    await consumer.close();
    expect(figures(await bedOf().rows())).toEqual(figures(sent(frames)));
  });

  test('a column of another type is one clear error, and what waited is stored when it is mended', async () => {
    const consumer = await fresh();
    const frames = stream(3, 10);
    await until(consumer, frames.slice(0, 1));
    await bedOf().spoil();
    const again = bedOf().forwarder(tags);
    await expect(again.write(frames, never())).rejects.toThrow(/readings.*value/s);
    await expect(again.write(frames, never())).rejects.toThrow(/readings.*value/s);
    await bedOf().mend();
    await until(again, frames);
    const counted = (await bedOf().rows()).length;
    expect(counted).toBe(30);
    await again.close();
    await consumer.close();
  });

  test('a changed password is read anew: refused until it is known, never shown, and nothing is lost', async () => {
    const consumer = await fresh();
    const frames = stream(40, 20);
    await until(consumer, frames.slice(0, 20));
    await bedOf().changePassword('s3cond \'one"');
    let said = '';
    // A session that was open may end with another word first.
    for (let i = 0; i < 3; i++)
      await consumer.write(frames.slice(20), never()).catch((error: Error) => (said = error.message));
    expect(said).toMatch(/refuse|Unauthorized|401|password/i);
    expect(said).not.toMatch(/s3cond|first secret/);
    await bedOf().tellPassword('s3cond \'one"');
    await until(consumer, frames.slice(20));
    expect(figures(await bedOf().rows())).toEqual(figures(sent(frames)));
    await consumer.close();
  });

  test('a server that is away is an error in words; a signal ends a write at once', async () => {
    const consumer = await fresh();
    await until(consumer, stream(1, 5));
    await bedOf().kill();
    await expect(consumer.write(stream(2, 5), never())).rejects.toThrow(/\w+ .*\w+/);
    const stop = new AbortController();
    stop.abort();
    await expect(consumer.write(stream(2, 5), stop.signal)).rejects.toThrow();
    await bedOf().start();
    await until(consumer, stream(2, 5));
    expect((await bedOf().rows()).length).toBe(10);
    await consumer.close();
    await consumer.close();
  });
}
