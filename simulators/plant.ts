// The contract between the plant models and the protocol servers: a plant is a set of assets whose signals
// advance on a virtual clock of fixed steps. Models implement it, servers and the history writer read it.
// Nothing here, or anywhere in simulators/, imports the gateway: shared code would let one error cancel another.

export type SignalValue = number | boolean | string;

/** One measured quantity of one asset. Values are already quantised as the sensor would. */
export interface Signal {
  /** Last part of the tag id: `temperature`. */
  metric: string;
  name: string;
  unit: string;
  decimals: number;
  type: 'double' | 'boolean' | 'integer' | 'text';
  /** UNECE code of the unit for OPC UA EngineeringUnits, e.g. CEL. */
  unece?: string;
  /** Normal operating range. */
  range?: { low: number; high: number };
  /** Range of the instrument (OPC UA InstrumentRange, scaled registers). */
  instrument?: { low: number; high: number };
  limits?: { ll?: number; l?: number; h?: number; hh?: number };
  /** Names of an enumeration's values. */
  names?: Record<number, string>;
  aggregate?: 'mean' | 'sum' | 'max';
  /** Deadband, delays (ms) a good alarm configuration would use. */
  deadband?: number;
  onDelay?: number;
  offDelay?: number;
}

export interface PlantAsset {
  /** Path below the enterprise: `plant-beta/reactor-2`, or site/line/asset. */
  path: string;
  name: string;
  kind: string;
  line: string | null;
  signals: Signal[];
  /** Which metric states the machine's status and what its values mean. */
  status?: { metric: string; map: Record<number, 'operational' | 'warning' | 'down' | 'maintenance' | 'offline'> };
}

export interface PlantSite {
  id: string;
  name: string;
  location: string;
  timezone: string;
  protocol: 'modbus' | 'opcua';
  /** ms between readings that suits the site (100 for the test rig, 1000 elsewhere). */
  interval: number;
  assets: PlantAsset[];
}

/** A running model of one site. Deterministic: the same seed and the same time give the same values. */
export interface Plant {
  readonly site: PlantSite;
  /** Advances to this time (ms since the epoch), in fixed steps; going back is an error. */
  advance(toMs: number): void;
  /** The current value of each signal, in the order of site.assets[].signals[], flat; null where a sensor gives none. */
  values(): readonly (SignalValue | null)[];
}
