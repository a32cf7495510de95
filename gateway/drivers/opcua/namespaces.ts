// Node addresses of the config and what they are on one session. Pure; called by the driver at every (re)connect.
// A server may number its namespaces anew at each start, so the URI is what counts and the index is looked up.

/** A configured node address. `uri` is absent for namespace 0 and for `ns=` addresses whose URI is not known yet. */
export interface NodeAddress {
  uri?: string;
  index?: number;
  /** `s=…`, `i=…`, `g=…` or `b=…`. */
  id: string;
}

const GUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/iu;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/u;

/** Reads `nsu=<uri>;s=…`, `ns=<index>;i=…` or a bare `i=…` of namespace 0; returns one sentence when it is none. */
export function parseNode(text: string): NodeAddress | string {
  const match = /^(?:nsu=([^;]+);|ns=([^;]*);)?(.+)$/su.exec(text);
  const id = match?.[3] ?? '';
  const fault = idFault(id);
  if (!match || fault) return `${JSON.stringify(text)} is no node id: ${fault ?? 'expected nsu=<uri>;s=…'}`;
  if (match[1] !== undefined) return { uri: unescape(match[1]), id };
  if (match[2] === undefined) return { index: 0, id };
  if (!/^\d{1,5}$/u.test(match[2]) || Number(match[2]) > 65_535) {
    return `${JSON.stringify(text)} is no node id: ns= takes a number from 0 to 65535`;
  }
  return { index: Number(match[2]), id };
}

/** An address given by index keeps meaning the namespace that index named when it was first seen. */
export function pinned(node: NodeAddress, namespaces: readonly string[]): NodeAddress {
  if (node.uri !== undefined || node.index === undefined || node.index === 0) return node;
  const uri = namespaces[node.index];
  return uri === undefined ? node : { uri, id: node.id };
}

/** The node id as this session numbers it, `ns=3;s=…`; undefined when the server does not know the namespace. */
export function resolveNode(node: NodeAddress, namespaces: readonly string[]): string | undefined {
  const index = node.uri === undefined ? (node.index ?? 0) : namespaces.indexOf(node.uri);
  if (index < 0 || (index > 0 && index >= namespaces.length)) return undefined;
  return `ns=${index};${node.id}`;
}

function idFault(id: string): string | undefined {
  const value = id.slice(2);
  switch (id.slice(0, 2)) {
    case 's=':
      return value === '' ? 's= takes a name' : undefined;
    case 'i=':
      return /^\d{1,10}$/u.test(value) && Number(value) <= 0xffff_ffff ? undefined : 'i= takes a number below 2^32';
    case 'g=':
      return GUID.test(value) ? undefined : 'g= takes a GUID';
    case 'b=':
      return value !== '' && BASE64.test(value) ? undefined : 'b= takes base64';
    default:
      return 'expected s=, i=, g= or b=';
  }
}

/** In the text form of an ExpandedNodeId `;` and `%` of a URI are escaped (OPC 10000-6 §5.3.1.11), nothing else. */
function unescape(uri: string): string {
  return uri.replace(/%3b/giu, ';').replace(/%25/gu, '%');
}
