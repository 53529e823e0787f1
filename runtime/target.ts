/** Choosing one of a bundle's target profiles for an adapter or a device. */
import type { AdapterKind, Bundle, MatrixUnit, TargetEntry } from "./bundle-format.js";
import { KraitError } from "./errors.js";

/** What adapters and devices have in common. */
export interface DeviceLike {
  readonly features: ReadonlySet<string>;
  readonly limits: GPUSupportedLimits;
  /** An adapter's own, and a device's of the adapter that it came from. */
  readonly info?: GPUAdapterInfo;
  readonly adapterInfo?: GPUAdapterInfo;
}

/** An experiment of Dawn's: what its matrix units multiply. */
interface MatrixInfo {
  readonly subgroupMatrixConfigs?: readonly {
    readonly componentType: string;
    readonly resultComponentType: string;
    readonly M: number;
    readonly N: number;
    readonly K: number;
  }[];
}

/** What to ask `adapter.requestDevice` for. */
export interface RequiredDevice {
  readonly requiredFeatures: GPUFeatureName[];
  readonly requiredLimits: Record<string, number>;
  /** The name of the target profile that the device will run. */
  readonly target: string;
}

/**
 * The features and limits that a device must be asked for to run the bundle's best target on this adapter. Give it to
 * `adapter.requestDevice(...)`. Buffer sizes are asked for as large as the adapter has them, so that weights and long
 * pieces of a sequence fit; all else is what the target states.
 * @throws KraitError R0202 where no target runs on the adapter.
 */
export function requiredDevice(bundle: Bundle, adapter: DeviceLike): RequiredDevice {
  const target = chooseTarget(bundle, adapter);
  return {
    target: target.name,
    requiredFeatures: target.requires.features as readonly GPUFeatureName[] as GPUFeatureName[],
    requiredLimits: {
      ...target.requires.limits,
      maxBufferSize: adapter.limits.maxBufferSize,
      maxStorageBufferBindingSize: adapter.limits.maxStorageBufferBindingSize,
    },
  };
}

/** The first target, in the bundle's order, whose requirements are met. `only` picks one by name. */
export function chooseTarget(bundle: Bundle, device: DeviceLike, only?: string): TargetEntry {
  const targets = bundle.manifest.targets.filter((target) => only === undefined || target.name === only);
  if (targets.length === 0) {
    const names = bundle.manifest.targets.map((target) => target.name).join(", ");
    throw new KraitError("R0202", `The bundle has no target "${only ?? ""}".`, { hint: `It has: ${names}.` });
  }
  const refusals: string[] = [];
  for (const target of targets) {
    const lacking = unmet(target, device);
    if (lacking.length === 0) return target;
    refusals.push(`${target.name} needs ${lacking.join(", ")}`);
  }
  throw new KraitError("R0202", `No target of the bundle runs on this device: ${refusals.join("; ")}.`, {
    hint:
      "Ask the adapter for what the bundle needs, `adapter.requestDevice(requiredDevice(bundle, adapter))`; " +
      "if the adapter itself lacks it, build the bundle for a smaller target.",
  });
}

/** What the target requires and the device lacks, in words. */
function unmet(target: TargetEntry, device: DeviceLike): string[] {
  const limits = device.limits as unknown as Readonly<Record<string, unknown>>;
  const lacking = target.requires.features
    .filter((feature) => !device.features.has(feature))
    .map((feature) => `the feature "${feature}"`);
  for (const [name, least] of Object.entries(target.requires.limits)) {
    const has = limits[name];
    if (typeof has !== "number" || has < least) {
      lacking.push(`${name} ≥ ${String(least)} (here ${typeof has === "number" ? String(has) : "unknown"})`);
    }
  }
  const { adapter } = target.requires;
  if (adapter !== undefined && !isOf(device, adapter)) {
    lacking.push(`an adapter of ${adapter.vendor}, ${adapter.architecture}`);
  }
  for (const unit of target.requires.matrices ?? []) {
    if (!multiplies(device, unit)) {
      const { operands, rows, cols, depth, subgroup } = unit;
      const sizes = `${String(rows)}×${String(cols)}×${String(depth)}`;
      lacking.push(`matrix units for ${operands} in ${sizes}, in subgroups of ${String(subgroup)}`);
    }
  }
  return lacking;
}

/** Which kind of adapter this is, as tunings say it. */
export const adapterKind = ({ vendor, architecture, device }: GPUAdapterInfo): AdapterKind => ({
  vendor,
  architecture: architecture || device,
});

/** Whether a tuning of that adapter is one of this device. Where nothing is said of the device, it is not. */
function isOf({ info, adapterInfo }: DeviceLike, { vendor, architecture }: AdapterKind): boolean {
  const known = info ?? adapterInfo;
  const own = known && adapterKind(known);
  return own?.vendor === vendor && own.architecture === architecture;
}

/** Dawn tells it of adapters alone: a device that says nothing is taken for one that was asked for by `requiredDevice`. */
function multiplies({ info, adapterInfo }: DeviceLike, unit: MatrixUnit): boolean {
  const { subgroupMatrixConfigs: configs = [] } = (info ?? adapterInfo ?? {}) as MatrixInfo;
  if (info === undefined && configs.length === 0) return true;
  // An adapter that does not say how large its subgroups are is taken at what its matrices say.
  const { subgroupMinSize: least = unit.subgroup, subgroupMaxSize: most = unit.subgroup } = info ?? {};
  if (least > unit.subgroup || most < unit.subgroup) return false;
  return [...configs].some(
    ({ componentType, resultComponentType, M, N, K }) =>
      componentType === unit.operands &&
      resultComponentType === unit.sums &&
      M === unit.rows &&
      N === unit.cols &&
      K === unit.depth,
  );
}
