/**
 * Sessions whose inputs, outputs and states the type checker knows: what a bundle's typed module (`krait build --types`)
 * is made of. Types, and one check that the module and the bundle belong together.
 */
import type { AxisEntry, Bundle, Manifest } from "./bundle-format.js";
import { KraitError } from "./errors.js";
import type { GenerateOptions } from "./generation.js";
import { open, type Model, type OpenOptions } from "./model.js";
import type { Session } from "./session.js";
import type { SessionOptions } from "./session-options.js";
import type { Snapshot } from "./snapshot.js";
import type { HostTensor } from "./tensor.js";
import type { OutputChunk } from "./windows.js";

/** A tensor whose shape is known but for the sizes that are plain `number`. */
export interface Tensor<Shape extends readonly number[] = readonly number[]> extends HostTensor {
  readonly shape: Shape;
}

/** What a model takes and gives, by name. */
export interface Signature {
  readonly inputs: object;
  readonly outputs: object;
  readonly states: object;
  /** `step` is missing for a model that looks ahead in time. */
  readonly programs: "prefill" | "step";
}

/** A `Model` whose sessions know their inputs and outputs. */
export type TypedModel<S extends Signature> = Omit<Model, "session"> & {
  /** As `Model.session`. */
  session(options?: SessionOptions): Promise<TypedSession<S>>;
};

type Retyped = "prefill" | "step" | "generate" | "save" | "restore" | "readState";

/** A `Session` that takes and gives what `S` says; without `step` for a model that looks ahead in time. */
export type TypedSession<S extends Signature> = {
  // A method that gives another session gives one of the same model.
  readonly [K in Exclude<keyof Session, Retyped>]: Session[K] extends (...args: infer A) => Promise<Session>
    ? (...args: A) => Promise<TypedSession<S>>
    : Session[K];
} & {
  /** As `Session.prefill`; `outputs: "none"` or a function gives nothing back. */
  prefill<Name extends keyof S["outputs"] = keyof S["outputs"]>(
    inputs: S["inputs"],
    options?: { readonly outputs?: "last" | "all"; readonly names?: readonly Name[] },
  ): Promise<Readonly<Pick<S["outputs"], Name>>>;
  /** As `Session.prefill`, with nothing given back. */
  prefill<Name extends keyof S["outputs"] = keyof S["outputs"]>(
    inputs: S["inputs"],
    options: {
      readonly outputs: "none" | ((chunk: TypedChunk<Pick<S["outputs"], Name>>) => void | Promise<void>);
      readonly names?: readonly Name[];
    },
  ): Promise<unknown>;
  /** As `Session.save`. */
  save(): Promise<TypedSnapshot<S["states"]>>;
  /** As `Session.restore`. */
  restore(snapshot: TypedSnapshot<S["states"]>): Promise<void>;
  /** As `Session.readState`. */
  readState<Name extends keyof S["states"]>(name: Name): Promise<S["states"][Name]>;
} & ("step" extends S["programs"]
    ? {
        /** As `Session.step`. */
        step<Name extends keyof S["outputs"] = keyof S["outputs"]>(
          inputs: S["inputs"],
          options?: { readonly outputs?: "last"; readonly names?: readonly Name[] },
        ): Promise<Readonly<Pick<S["outputs"], Name>>>;
        /** As `Session.step`, with nothing given back. */
        step(inputs: S["inputs"], options: { readonly outputs: "none" }): Promise<unknown>;
        /** As `Session.generate`. */
        generate<Fed extends keyof S["outputs"], Name extends keyof S["outputs"] = Fed>(
          inputs: S["inputs"],
          options: Omit<GenerateOptions, "feed" | "names" | "deliver"> & {
            readonly feed: { readonly [Input in keyof S["inputs"]]?: Fed };
            readonly names?: readonly Name[];
            readonly deliver: (outputs: Readonly<Pick<S["outputs"], Name>>) => unknown;
          },
        ): Promise<number>;
      }
    : unknown);

/** An `OutputChunk` whose outputs are known. */
export type TypedChunk<Outputs> = Omit<OutputChunk, "outputs"> & { readonly outputs: Readonly<Outputs> };
/** A `Snapshot` whose states are known. */
export type TypedSnapshot<States> = Omit<Snapshot, "states"> & { readonly states: Readonly<States> };

/** What a typed module was made from: `f32[b, t, 64]` by name. */
export interface Interface {
  readonly inputs: Readonly<Record<string, string>>;
  readonly outputs: Readonly<Record<string, string>>;
  readonly states: Readonly<Record<string, string>>;
}

/**
 * Opens a bundle as the model that `expected` describes: for typed modules.
 * @throws KraitError R0407 where the bundle is of another model; else as `open`.
 */
export async function openTyped<S extends Signature>(
  bundle: Bundle,
  options: OpenOptions,
  expected: Interface,
): Promise<TypedModel<S>> {
  const found = interfaceOf(bundle.manifest);
  for (const kind of ["inputs", "outputs", "states"] as const) {
    const names = new Set([...Object.keys(expected[kind]), ...Object.keys(found[kind])]);
    for (const name of names) {
      const [wanted = "none", given = "none"] = [expected[kind][name], found[kind][name]];
      if (wanted === given) continue;
      throw new KraitError(
        "R0407",
        `This bundle is not the one that the typed module was made from: of the ${kind}, "${name}" was ${wanted} and is ${given}.`,
        { hint: "Build the bundle again with --types, and use the module that this writes." },
      );
    }
  }
  return (await open(bundle, options)) as unknown as TypedModel<S>;
}

function interfaceOf({ inputs, outputs, states }: Manifest): Interface {
  const texts = (
    entries: readonly {
      readonly name: string;
      readonly scalar?: string;
      readonly axes: readonly AxisEntry[];
    }[],
  ): Record<string, string> =>
    Object.fromEntries(
      entries.map(({ name, scalar = "f32", axes }) => [
        name,
        `${scalar}[${axes.map(({ size }) => (typeof size === "object" ? JSON.stringify(size) : size)).join(", ")}]`,
      ]),
    );
  return { inputs: texts(inputs), outputs: texts(outputs), states: texts(states) };
}
