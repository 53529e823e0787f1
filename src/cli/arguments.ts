/** Readers of option values, for commander: each throws `InvalidArgumentError`, which names the option. */
import { InvalidArgumentError, Option } from "commander";
import JSON5 from "json5";
import type { Activations, ConstantValue, Storage } from "../../runtime/bundle-format.js";

export type Settings = Readonly<Record<string, ConstantValue>>;

/** `--set layers=2`, repeated. A value is a number, true, false, a list such as [1, 2], or else a string. */
export function collectSetting(text: string, earlier: Settings = {}): Settings {
  const { name, value } = splitAssignment(text, "NAME=VALUE, for example layers=2");
  return { ...earlier, [name]: parseConstant(value) };
}

function parseConstant(text: string): ConstantValue {
  let value: unknown;
  try {
    value = JSON5.parse(text);
  } catch {
    return text;
  }
  if (!isConstant(value))
    throw new InvalidArgumentError(`a constant is a number, true, false, a string or a list.`);
  return value;
}

/** Deeper lists than anybody types would take the compiler's stack. */
const MOST_NESTED = 64;

function isConstant(value: unknown, depth = 0): value is ConstantValue {
  if (Array.isArray(value)) return depth < MOST_NESTED && value.every((item) => isConstant(item, depth + 1));
  return typeof value === "number" || typeof value === "boolean" || typeof value === "string";
}

/** A tensor of a safetensors file, to be used under `name`. */
export interface TensorReference {
  readonly name: string;
  readonly file: string;
  readonly tensor: string;
}

/** `NAME=FILE.safetensors:TENSOR`, repeated. */
export function collectTensor(
  text: string,
  earlier: readonly TensorReference[] = [],
): readonly TensorReference[] {
  return [...earlier, parseTensorReference(text)];
}

export function parseTensorReference(text: string): TensorReference {
  const form = "NAME=FILE.safetensors:TENSOR";
  const { name, value } = splitAssignment(text, form);
  // A Windows path has a colon of its own, so the file's ending decides where there is one.
  const match = /^(.+?\.safetensors):(.+)$/.exec(value) ?? /^(.+):(.+)$/.exec(value);
  const [, file, tensor] = match ?? [];
  if (file === undefined || tensor === undefined) throw new InvalidArgumentError(`expected ${form}.`);
  return { name, file, tensor };
}

function splitAssignment(text: string, form: string): { name: string; value: string } {
  const at = text.indexOf("=");
  if (at <= 0) throw new InvalidArgumentError(`expected ${form}.`);
  return { name: text.slice(0, at).trim(), value: text.slice(at + 1) };
}

/** `--tokens 1,2,3`: whole numbers from 0. */
export function parseTokens(text: string): readonly number[] {
  const parts = text.split(",").map((part) => part.trim());
  if (!parts.every((part) => /^\d+$/.test(part) && Number(part) <= 0xffff_ffff)) {
    throw new InvalidArgumentError("expected token ids with commas between, for example 1,2,3.");
  }
  return parts.map(Number);
}

/** `--lengths 5,3,8`: whole numbers from 0. */
export function parseLengths(text: string): readonly number[] {
  const parts = text.split(",").map((part) => part.trim());
  if (!parts.every((part) => /^\d+$/.test(part) && Number.isSafeInteger(Number(part)))) {
    throw new InvalidArgumentError("expected numbers of steps with commas between, for example 5,3,8.");
  }
  return parts.map(Number);
}

export function parseCount(text: string): number {
  if (!/^\d+$/.test(text) || Number(text) < 1)
    throw new InvalidArgumentError("expected a whole number from 1.");
  return Number(text);
}

/** An option that may stand several times: all its values, in order. */
export function collect(text: string, earlier: readonly string[] = []): readonly string[] {
  return [...earlier, text];
}

const ACTIVATIONS: readonly Activations[] = ["f32", "f16", "bf16"];

/** `--activations-dtype bf16`. */
export const activationsDtype = (): Option =>
  new Option(
    "--activations-dtype <type>",
    "how inputs, outputs and values between kernels lie on the GPU; all is computed in f32 (default: f32)",
  ).choices(ACTIVATIONS);

const STORAGES: readonly Storage[] = ["f32", "f16", "bf16", "int8", "int4"];

/** `--weights-dtype int4`, of the commands that make bundles. */
export const weightsDtype = (unless: string): Option =>
  new Option(
    "--weights-dtype <type>",
    `how weights lie on the GPU; int8 and int4: the matrices of products and lookups alone (default: ${unless})`,
  ).choices(STORAGES);
