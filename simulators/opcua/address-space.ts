// Builds a simulated site's address space: a folder per asset, a variable per signal with its unit and ranges.
// Called by server.ts once at start; hands back the variables in the order of the plant's flat values.
import { DataType, LocalizedText, makeEUInformation, Range, StatusCodes, Variant, VariantArrayType } from 'node-opcua';
import type { AddressSpace, Namespace, UAObject, UAVariable } from 'node-opcua';
import type { PlantAsset, PlantSite, Signal } from '../plant.ts';
import { namespaceUri, nodeName } from './nodes.ts';

const dataTypes = {
  double: DataType.Double,
  boolean: DataType.Boolean,
  integer: DataType.Int32,
  text: DataType.String,
} as const;

/** A variable and the type its values are written with. */
export interface SignalVariable {
  variable: UAVariable;
  dataType: DataType;
}

/** Variables in the order of site.assets[].signals[], flat. */
export function buildAddressSpace(addressSpace: AddressSpace, site: PlantSite): SignalVariable[] {
  const namespace = addressSpace.registerNamespace(namespaceUri(site));
  const root = namespace.addFolder(addressSpace.rootFolder.objects, { browseName: site.name, nodeId: `s=${site.id}` });
  const built: SignalVariable[] = [];
  for (const asset of site.assets) {
    const folder = namespace.addFolder(root, {
      browseName: nodeName(asset),
      displayName: asset.name,
      nodeId: `s=${nodeName(asset)}`,
    });
    for (const signal of asset.signals) {
      built.push({ variable: addSignal(namespace, folder, asset, signal), dataType: dataTypes[signal.type] });
    }
  }
  return built;
}

function addSignal(namespace: Namespace, folder: UAObject, asset: PlantAsset, signal: Signal): UAVariable {
  const variable = namespace.addVariable({
    organizedBy: folder,
    browseName: signal.metric,
    displayName: signal.name,
    nodeId: `s=${nodeName(asset, signal)}`,
    dataType: dataTypes[signal.type],
    accessLevel: 'CurrentRead',
    userAccessLevel: 'CurrentRead',
    // 0 = exception based: a change is reported when it happens, whatever sampling interval a client asks for.
    minimumSamplingInterval: 0,
  });
  variable.setValueFromSource({ dataType: DataType.Null }, StatusCodes.BadWaitingForInitialData);
  if (signal.type === 'double') {
    if (signal.unit) {
      // makeEUInformation turns the three-letter UNECE code into the number clients compare.
      const unit = makeEUInformation(signal.unece ?? '', signal.unit, signal.unit);
      addProperty(namespace, variable, 'EngineeringUnits', 'EUInformation', unit);
    }
    if (signal.range) addProperty(namespace, variable, 'EURange', 'Range', new Range(signal.range));
    if (signal.instrument) addProperty(namespace, variable, 'InstrumentRange', 'Range', new Range(signal.instrument));
  }
  if (signal.names) addEnumStrings(namespace, variable, signal.names);
  return variable;
}

function addProperty(
  namespace: Namespace,
  of: UAVariable,
  name: string,
  dataType: string,
  value: Range | object,
): void {
  namespace.addVariable({
    propertyOf: of,
    browseName: { name, namespaceIndex: 0 },
    typeDefinition: 'PropertyType',
    dataType,
    value: new Variant({ dataType: DataType.ExtensionObject, value }),
  });
}

function addEnumStrings(namespace: Namespace, of: UAVariable, names: Record<number, string>): void {
  const highest = Math.max(...Object.keys(names).map(Number));
  if (highest > 255) return; // EnumStrings is indexed by the value: a sparse enumeration has no place in it
  const value = Array.from({ length: highest + 1 }, (_, index) => new LocalizedText({ text: names[index] ?? '' }));
  namespace.addVariable({
    propertyOf: of,
    browseName: { name: 'EnumStrings', namespaceIndex: 0 },
    typeDefinition: 'PropertyType',
    dataType: 'LocalizedText',
    valueRank: 1,
    value: new Variant({ dataType: DataType.LocalizedText, arrayType: VariantArrayType.Array, value }),
  });
}
