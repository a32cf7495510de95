// What QuestDB's answers over HTTP are called in front of people.
import { expect, test } from 'vitest';
import { refusal } from './http.ts';

test.each<[number, string, RegExp]>([
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
])('what an answer of %d %s means', (status, body, words) => {
  const location = status === 301 ? 'https://db:9443/write' : '';
  expect(refusal('db:9000', { status, body, location, by: 'token' }).message).toMatch(words);
});
