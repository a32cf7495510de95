// What the page says when an answer fails: a sentence each, whatever the browser calls it.
import { afterEach, expect, test, vi } from 'vitest';
import { api } from './api.ts';

afterEach(() => void vi.unstubAllGlobals());

/** A body that ends in the middle, as when the gateway is killed. */
const torn = () =>
  new ReadableStream({
    start(body) {
      body.enqueue(new TextEncoder().encode('{"a":'));
      body.error(new TypeError('network error'));
    },
  });

test.each<[string, () => Response, string]>([
  ['cut off', () => new Response(torn()), 'The gateway’s answer ended in the middle.'],
  ['half, but closed', () => new Response('{"a":'), 'The gateway’s answer ended in the middle.'],
  ['a refusal in words', () => Response.json({ message: 'no such site' }, { status: 404 }), 'no such site'],
  ['a proxy’s refusal', () => new Response('<html>', { status: 502 }), 'The gateway answered 502.'],
])('%s', async (_, answer, words) => {
  vi.stubGlobal('fetch', () => Promise.resolve(answer()));
  await expect(api.facilities()).rejects.toThrow(words);
});

test('no connection at all, and a question that was called off', async () => {
  vi.stubGlobal('fetch', () => Promise.reject(new TypeError('Failed to fetch')));
  await expect(api.facilities()).rejects.toThrow('The gateway cannot be reached.');
  const off = AbortSignal.abort(new Error('off'));
  await expect(api.facilities(off)).rejects.toThrow('Failed to fetch');
});
