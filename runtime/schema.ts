/** What `model.json` must look like. Types and meaning: bundle-format.ts. */
import * as v from "valibot";
import {
  FORMAT,
  FORMAT_VERSION,
  STORAGE_BITS,
  type Dim,
  type Manifest,
  type Storage,
} from "./bundle-format.js";
import { KraitError } from "./errors.js";

const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;
const count = v.custom<number>(isCount, "is not a whole number");
const name = v.pipe(v.string(), v.minLength(1));

/** Deeper than the compiler writes them: what recurses over a manifest must not run out of stack. */
const MOST_NESTED = 256;

const OPERATIONS: ReadonlySet<unknown> = new Set("+ - * / ^/ % min max < <= == &".split(" "));

// Written out, since a union of schemas would read a wrong size once for each form that it may have, at every depth.
const dim = v.custom<Dim>(
  (value) => isDim(value, 0),
  "is not a size: a whole number, a name or [operation, …]",
);
function isDim(value: unknown, depth: number): boolean {
  if (!Array.isArray(value))
    return Number.isSafeInteger(value) || (typeof value === "string" && value !== "");
  const [operation, ...operands] = value as readonly unknown[];
  const wanted = operation === "?" ? 3 : OPERATIONS.has(operation) ? 2 : NaN;
  return (
    depth < MOST_NESTED && operands.length === wanted && operands.every((part) => isDim(part, depth + 1))
  );
}

type Constant = Manifest["constants"][string];
const constant = v.custom<Constant>((value) => isConstant(value, 0), "is not a constant");
function isConstant(value: unknown, depth: number): boolean {
  if (Array.isArray(value)) return depth < MOST_NESTED && value.every((item) => isConstant(item, depth + 1));
  return ["number", "boolean", "string"].includes(typeof value);
}

/** A path inside the bundle: parts joined by `/`, none of which goes up or names a drive. */
const file = v.pipe(
  v.string(),
  v.check(
    (path) => path.split("/").every((part) => /^[^\\:\0]+$/.test(part) && part !== "." && part !== ".."),
    "is not a path inside the bundle",
  ),
);
const sha256 = v.pipe(
  v.string(),
  v.check((text) => /^[0-9a-f]{64}$/.test(text), "is not a SHA-256 in hexadecimal"),
);
const storage = v.picklist(Object.keys(STORAGE_BITS) as Storage[]);
const axes = v.array(v.object({ name, size: dim }));
const activations = ["f32", "f16", "bf16"] as const;
const scalar = v.picklist([...activations, "index"]);
const described = {
  name,
  bound: v.exactOptional(count),
  axes,
  time: v.exactOptional(name),
  doc: v.exactOptional(v.string()),
};

const extent = { offset: dim, bytes: dim };
const range = v.variant("in", [
  v.object({ ...extent, in: v.picklist(["constant", "scratch", "input", "output"]), id: name }),
  v.object({ ...extent, in: v.picklist(["state", "next_state"]) }),
]);
const dispatch = v.object({
  shader: name,
  bindings: v.array(range),
  workgroups: v.tuple([dim, dim, dim]),
  when: v.exactOptional(dim),
});
const program = v.object({
  numbers: v.array(v.object({ name, value: v.exactOptional(dim) })),
  scratch: v.array(v.object({ id: name, bytes: dim })),
  body: v.array(dispatch),
  tail: v.array(dispatch),
  chunk: v.exactOptional(count),
  positional: v.exactOptional(v.boolean()),
});

const parameter = v.custom<number | string>(
  (value) => isCount(value) || typeof value === "string",
  "is not a parameter of a schedule",
);
const adapter = { vendor: name, architecture: name };
const tuning = v.object({
  ...adapter,
  entries: v.array(
    v.object({
      target: name,
      kernel: name,
      shape: v.record(v.string(), count),
      schedule: v.record(v.string(), parameter),
    }),
  ),
});

const target = v.object({
  name,
  requires: v.object({
    features: v.array(name),
    limits: v.record(v.string(), count),
    matrices: v.exactOptional(
      v.array(
        v.object({ operands: name, sums: name, rows: count, cols: count, depth: count, subgroup: count }),
      ),
    ),
    adapter: v.exactOptional(v.object(adapter)),
  }),
  shaders: v.array(
    v.object({
      file,
      sha256,
      id: name,
      label: v.string(),
      bindings: v.array(v.object({ name, access: v.picklist(["read", "read_write"]) })),
      workgroup: v.tuple([count, count, count]),
      workgroupBytes: count,
    }),
  ),
  constants: v.array(
    v.object({
      id: name,
      bytes: count,
      params: v.array(
        v.object({
          param: name,
          offset: count,
          scales: v.exactOptional(count),
          begin: v.exactOptional(count),
          count: v.exactOptional(count),
        }),
      ),
    }),
  ),
  states: v.object({ bytes: dim, places: v.array(v.object({ state: name, offset: dim })) }),
  load: program,
  prefill: program,
  step: v.exactOptional(program),
  packed: v.exactOptional(program),
});

const manifest = v.object({
  format: v.picklist([FORMAT]),
  formatVersion: v.picklist([FORMAT_VERSION]),
  compiler: v.string(),
  model: name,
  sources: v.array(v.object({ file, sha256 })),
  options: v.object({
    set: v.record(v.string(), constant),
    targets: v.array(name),
    weights: storage,
    storage: v.exactOptional(v.record(v.string(), storage)),
    activations: v.exactOptional(v.picklist(activations)),
    packed: v.exactOptional(v.boolean()),
    tuning: v.exactOptional(v.array(tuning)),
  }),
  constants: v.record(v.string(), constant),
  inputs: v.array(v.object({ ...described, scalar })),
  outputs: v.array(v.object({ ...described, scalar: v.exactOptional(scalar) })),
  states: v.array(
    v.object({ name, kind: v.picklist(["state", "delay", "history"]), axes, init: v.number() }),
  ),
  params: v.array(
    v.object({ name, sources: v.pipe(v.array(name), v.minLength(1)), shape: v.array(count), storage }),
  ),
  targets: v.pipe(v.array(target), v.minLength(1)),
});

/**
 * The manifest in the text of `model.json`. Fields that this version does not know are left out: a compiler may add
 * what a reader can ignore, and raises the format version for anything else.
 * @throws KraitError R0101 (not a manifest, or damaged; names every wrong field), R0102 (another format version).
 */
export function parseManifest(text: string): Manifest {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new KraitError("R0101", `model.json is not JSON: ${String(cause)}`, { cause });
  }
  checkVersion(json);
  const result = v.safeParse(manifest, json);
  if (!result.success) {
    const lines = result.issues.slice(0, 8).map(({ message, path }) => {
      const where = path?.map(({ key }) => String(key)).join(".");
      return `  ${where ?? "the whole"}: ${message}`;
    });
    const more = result.issues.length - lines.length;
    if (more > 0) lines.push(`  and ${String(more)} more`);
    throw new KraitError("R0101", `model.json is not a bundle's manifest:\n${lines.join("\n")}`, {
      hint: "Build the bundle again.",
    });
  }
  return result.output;
}

function checkVersion(json: unknown): void {
  const head = (json ?? {}) as Readonly<Record<string, unknown>>;
  if (head["format"] !== FORMAT) {
    throw new KraitError(
      "R0101",
      `model.json is not the manifest of a Krait bundle: its "format" is not "${FORMAT}".`,
    );
  }
  const version = head["formatVersion"];
  if (version === FORMAT_VERSION) return;
  throw new KraitError(
    "R0102",
    `The bundle has format version ${JSON.stringify(version)}, and this runtime reads version ${String(FORMAT_VERSION)}.`,
    {
      hint: "Build the bundle again with the compiler that came with this runtime, or use a newer runtime.",
    },
  );
}
