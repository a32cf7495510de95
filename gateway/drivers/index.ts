// The registry: one line per protocol. Read by config (schemas), supervise (drivers) and the command line.
// Adding a protocol is one folder beside this file, one line here, and a contract suite that passes.
import type { Protocol } from '../driver.ts';
import { modbus } from './modbus/driver.ts';
import { opcua } from './opcua/driver.ts';

/** By the name that a device file gives as `protocol`. */
export const protocols: ReadonlyMap<string, Protocol> = new Map(
  [modbus, opcua].map((protocol) => [protocol.name, protocol]),
);
