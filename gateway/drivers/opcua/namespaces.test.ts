// Node addresses: what is accepted, and which node they mean on a server that numbers its namespaces in its own way.
import { expect, test } from 'vitest';
import { parseNode, pinned, resolveNode } from './namespaces.ts';
import type { NodeAddress } from './namespaces.ts';

const address = (text: string): NodeAddress => {
  const parsed = parseNode(text);
  if (typeof parsed === 'string') throw new Error(parsed);
  return parsed;
};
const before = ['http://opcfoundation.org/UA/', 'urn:server', 'urn:a', 'urn:b'];
const after = ['http://opcfoundation.org/UA/', 'urn:server', 'urn:b'];

test.each([
  ['nsu=urn:a;s=Line.Pump', { uri: 'urn:a', id: 's=Line.Pump' }],
  ['nsu=urn:a;s="DB1"."Te;mp"', { uri: 'urn:a', id: 's="DB1"."Te;mp"' }],
  ['nsu=http://x/y%3Bz%25;i=7', { uri: 'http://x/y;z%', id: 'i=7' }],
  ['ns=3;i=4294967295', { index: 3, id: 'i=4294967295' }],
  ['i=2258', { index: 0, id: 'i=2258' }],
  ['ns=1;g=09087e75-8e5e-499b-954f-f2a9603db28a', { index: 1, id: 'g=09087e75-8e5e-499b-954f-f2a9603db28a' }],
  ['ns=1;b=AQI=', { index: 1, id: 'b=AQI=' }],
])('%s is a node', (text, expected) => {
  expect(parseNode(text)).toEqual(expected);
});

test.each([
  '',
  'Temperature',
  's=',
  'ns=x;s=a',
  'ns=70000;s=a',
  'nsu=;s=a',
  'nsu=urn:a',
  'i=-1',
  'i=4294967296',
  'g=12',
  'b=?',
  'ns=1;x=2',
])('%j is none', (text) => {
  expect(parseNode(text)).toMatch(/is no node id/u);
});

test('a URI finds its index anew on each session, or none', () => {
  expect(resolveNode(address('nsu=urn:b;s=x'), before)).toBe('ns=3;s=x');
  expect(resolveNode(address('nsu=urn:b;s=x'), after)).toBe('ns=2;s=x');
  expect(resolveNode(address('nsu=urn:a;s=x'), after)).toBeUndefined();
  expect(resolveNode(address('i=2258'), after)).toBe('ns=0;i=2258');
  expect(resolveNode(address('ns=3;s=x'), after)).toBeUndefined();
});

test('an index keeps the namespace it named first', () => {
  const node = pinned(address('ns=2;s=x'), before);
  expect(node).toEqual({ uri: 'urn:a', id: 's=x' });
  expect(resolveNode(node, after)).toBeUndefined();
  expect(pinned(address('ns=9;s=x'), before)).toEqual({ index: 9, id: 's=x' });
  expect(pinned(address('i=1'), before)).toEqual({ index: 0, id: 'i=1' });
});
