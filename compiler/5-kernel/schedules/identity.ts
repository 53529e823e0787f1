/**
 * What a kernel computes, as a hash: of all of it but its schedule, and but what things are called. So a figure that was
 * measured for a kernel is found again by another build, of another layer, or of a source with other names.
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js";
import type { Kernel } from "../types.js";

const DIGITS = 16;
const identities = new WeakMap<Kernel, string>();

/** 16 hexadecimal digits, the same for two kernels that differ in schedule and names alone. */
export function identityOf(kernel: Kernel): string {
  const known = identities.get(kernel);
  if (known !== undefined) return known;
  // The bindings first: their order is that of the names which the rest uses.
  const { schedule: _schedule, name: _name, notes: _notes, bindings, ...computes } = kernel;
  const text = new Canonical().textOf([bindings, computes]);
  const identity = bytesToHex(sha256(utf8ToBytes(text))).slice(0, DIGITS);
  identities.set(kernel, identity);
  return identity;
}

/** Fields whose strings say what is computed; all other strings are names. */
const WORDS: ReadonlySet<string> = new Set([
  "kind",
  "type",
  "op",
  "fn",
  "access",
  "element",
  "per",
  "skeleton",
]);

/** Plain data as text: what is equal once, fields sorted by name, names numbered as they come. */
class Canonical {
  readonly #seen = new Map<object, string>();
  readonly #places = new Map<string, string>();
  readonly #names = new Map<string, number>();

  textOf(value: unknown): string {
    const root = this.#term(value, "");
    return [...this.#places.keys(), root].join("\n");
  }

  #term(value: unknown, field: string): string {
    if (typeof value === "string") return WORDS.has(field) ? value : this.#name(value);
    if (typeof value === "number") return Object.is(value, -0) ? "-0" : String(value);
    if (typeof value !== "object" || value === null) return String(value);
    const known = this.#seen.get(value);
    if (known !== undefined) return known;
    const text = Array.isArray(value) ? this.#list(value) : this.#fields(value);
    const place = this.#places.get(text) ?? `%${String(this.#places.size)}`;
    this.#places.set(text, place);
    this.#seen.set(value, place);
    return place;
  }

  /** A size begins with its operation: `["*", "b", 3]`. */
  #list(items: readonly unknown[]): string {
    const [first, ...rest] = items;
    if (typeof first !== "string") return `[${items.map((item) => this.#term(item, "")).join()}]`;
    return `(${[first, ...rest.map((item) => this.#term(item, ""))].join(" ")})`;
  }

  #fields(object: object): string {
    const fields = Object.entries(object)
      .filter(([, value]) => value !== undefined)
      .sort(([p], [q]) => (p < q ? -1 : 1));
    return `{${fields.map(([name, value]) => `${name}:${this.#term(value, name)}`).join()}}`;
  }

  /** `prev_h` is the name of h before the step, whatever h is called. */
  #name(name: string): string {
    const of = name.startsWith("prev_") ? this.#names.get(name.slice("prev_".length)) : undefined;
    if (of !== undefined) return `prev$${String(of)}`;
    const known = this.#names.get(name) ?? this.#names.size;
    this.#names.set(name, known);
    return `$${String(known)}`;
  }
}
