// What QuestDB's answers over HTTP are called in front of people.
import { expect, test } from 'vitest';
import { refusal } from './http.ts';

const page = '<html>\r\n<head><title>Bad\r\n Gateway</title></head><body><h1>sorry</h1></body></html>';

test.each<[number, string, RegExp, path?: string]>([
  [403, page, /^QuestDB at db:9000 lets the gateway in, but forbids it \/exec \(403\): allow it there/],
  [404, page, /^QuestDB at db:9000 takes no rows at \/write \(404\): set its line.http.enabled to true/, '/write'],
  [405, 'Method POST not supported', /takes no rows at \/write \(405\)/, '/write'],
  [502, page, /^QuestDB at db:9000 answered 502: Bad Gateway$/],
  [500, ' <p>out\nof <b>order</b></p>', /^QuestDB at db:9000 answered 500: out of order$/],
  [401, '', /^QuestDB at db:9000 does not accept the token \(401\)/],
  [
    404,
    '{"error":"not found","message":"nothing here"}',
    /^db:9000 answers, but not as a QuestDB \(404\): is it the ad/,
  ],
  [400, '{"error":"unknown table"}', /^QuestDB at db:9000 answered 400: unknown table$/],
  [301, '', /^db:9000 sends on to https:\/\/db:9443 \(301\), which is not followed: give the address/],
  [304, '', /answered 304/],
  [503, '', /^QuestDB at db:9000 answered 503: nothing more$/],
])('what an answer of %d %s means', (status, body, words, path = '/exec?query=SELECT') => {
  const location = status === 301 ? 'https://db:9443/write' : '';
  expect(refusal('db:9000', { path, status, body, location, by: 'token' }).message).toMatch(words);
});
