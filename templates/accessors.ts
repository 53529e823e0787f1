/** How a shader reads and writes its bindings: the one place that knows how elements lie in memory. */
import type { BindingDeclaration, Element } from "./bindings.js";
import { declareQuantized, isQuantized } from "./quantized.js";
import { code, component, element, join, name, wgsl, type Code, type Wgsl } from "./wgsl.js";

export type { BindingDeclaration } from "./bindings.js";

/** Several elements share a word. f16 and bf16 lie in pairs in a u32, the first in the low half; others: quantized.ts. */
export const isPacked = (of: Element): boolean => of === "f16" || of === "bf16" || isQuantized(of);

/** Of packed elements, whose index must be a multiple of it for `loadFour`. */
export const alignmentOfFour = (of: Element): 2 | 4 => (isQuantized(of) ? 4 : 2);

/** `struct Numbers` and the storage bindings after it, in order. */
export function declareBindings(numbers: readonly string[], bindings: readonly BindingDeclaration[]): Code {
  const members = (numbers.length === 0 ? ["unused"] : numbers).map(
    (number) => code`  ${name(number)}: u32,`,
  );
  const lines = bindings.map(({ name: binding, access, element: of, wide = false }, i) => {
    const mode = access === "read" ? name("read") : name("read_write");
    const isFour = wide && isWrittenHalf({ access, element: of });
    return isFour
      ? code`@group(0) @binding(${i + 1}) var<storage, ${mode}> ${name(binding)}: array<vec4<f16>>;`
      : code`@group(0) @binding(${i + 1}) var<storage, ${mode}> ${name(binding)}: array<${name(elementType({ access, element: of, wide }))}>;`;
  });
  return code`
    struct Numbers {
      ${join(members)}
    }
    @group(0) @binding(0) var<uniform> numbers: Numbers;
    ${join(lines)}
  `;
}

/** What a binding is an array of, but for four f16 that are written: those as such only where they are, for it takes the extension. */
function elementType({
  access,
  element: of,
  wide,
}: Pick<BindingDeclaration, "access" | "element" | "wide">): string {
  if (isWrittenHalf({ access, element: of })) return "f16";
  const scalar = of === "f32" ? "f32" : "u32";
  return wide === true || isQuantized(of) ? `vec4${scalar.charAt(0)}` : scalar;
}

/** Whether a binding's elements are f16 in the shader's own type (extension `f16`), for neighbours are written apart. */
export const isWrittenHalf = ({
  access,
  element: of,
}: Pick<BindingDeclaration, "access" | "element">): boolean => access === "read_write" && of === "f16";

/** Functions that take one element, or four in a row, out of packed words; of quantized ones also codes alone. By bindings' names. */
export function declareAccessors(
  bindings: readonly BindingDeclaration[],
  { fours, codes }: { readonly fours: ReadonlySet<string>; readonly codes: ReadonlySet<string> },
): readonly Code[] {
  return bindings
    .filter((each) => isPacked(each.element) && each.wide !== true && !isWrittenHalf(each))
    .flatMap((binding) =>
      isQuantized(binding.element)
        ? declareQuantized(binding, { fours: fours.has(binding.name), codes: codes.has(binding.name) })
        : [declareOne(binding), ...(fours.has(binding.name) ? [declareFour(binding)] : [])],
    );
}

const loader = (binding: string): string => `load_${binding}`;
const fourLoader = (binding: string): string => `load_four_${binding}`;

function declareOne({ name: binding, element: of }: BindingDeclaration): Code {
  const words = name(binding);
  const value =
    of === "f16"
      ? wgsl<"f32">`unpack2x16float(${words}[index >> 1u] >> ((index & 1u) * 16u)).x`
      : wgsl<"f32">`bitcast<f32>((${words}[index >> 1u] >> ((index & 1u) * 16u)) << 16u)`;
  return code`
    fn ${name(loader(binding))}(index: u32) -> f32 {
      return ${value};
    }
  `;
}

/** Elements index … index + 3, where index is even: two whole words. */
function declareFour({ name: binding, element: of }: BindingDeclaration): Code {
  const words = name(binding);
  const halves =
    of === "f16"
      ? code`return vec4f(unpack2x16float(low), unpack2x16float(high));`
      : code`return bitcast<vec4f>(vec4u(low << 16u, low & 0xffff0000u, high << 16u, high & 0xffff0000u));`;
  return code`
    fn ${name(fourLoader(binding))}(index: u32) -> vec4f {
      let low = ${words}[index >> 1u];
      let high = ${words}[(index >> 1u) + 1u];
      ${halves}
    }
  `;
}

export function loadElement(binding: BindingDeclaration, index: Wgsl<"u32">): Wgsl<"f32"> | Wgsl<"u32"> {
  if (isPacked(binding.element)) return wgsl<"f32">`${name(loader(binding.name))}(${index})`;
  if (binding.wide === true) return wgsl<"f32">`${name(binding.name)}[${index} >> 2u][${index} & 3u]`;
  return element<"f32">(name(binding.name), index);
}

/** Four consecutive elements of a packed binding, from an index that is a multiple of `alignmentOfFour`. */
export function loadFour(binding: BindingDeclaration, index: Wgsl<"u32">): Wgsl<"vec4f"> {
  return wgsl<"vec4f">`${name(fourLoader(binding.name))}(${index})`;
}

/** The whole word of a wide binding that begins at `index`: four f32, or eight elements of 16 bits. */
export function loadWord<T extends "vec4f" | "vec4u">(
  binding: BindingDeclaration,
  index: Wgsl<"u32">,
): Wgsl<T> {
  const shift = isPacked(binding.element) ? 3 : 2;
  return element<T>(name(binding.name), wgsl<"u32">`${index} >> ${shift}u`);
}

/** The low or the high four of a word of eight f16. */
export const fourOfWord = (word: Wgsl<"vec4u">, half: "low" | "high"): Wgsl<"vec4f"> =>
  half === "low"
    ? wgsl<"vec4f">`vec4f(unpack2x16float(${word}.x), unpack2x16float(${word}.y))`
    : wgsl<"vec4f">`vec4f(unpack2x16float(${word}.z), unpack2x16float(${word}.w))`;

/** Four f16 in a row, from a multiple of four, of a wide binding. */
export function loadFourOfWord(binding: BindingDeclaration, index: Wgsl<"u32">): Wgsl<"vec4f"> {
  const word = loadWord<"vec4u">(binding, index);
  return wgsl<"vec4f">`select(${fourOfWord(word, "low")}, ${fourOfWord(word, "high")}, (${index} & 4u) != 0u)`;
}

/** Four elements, each at an index of its own. */
export function loadComponents(
  binding: BindingDeclaration,
  index: Wgsl<"vec4u">,
): Wgsl<"vec4f"> | Wgsl<"vec4u"> {
  const at = (i: 0 | 1 | 2 | 3): Wgsl<"f32"> | Wgsl<"u32"> =>
    loadElement(binding, component<"u32">(index, i));
  return binding.element === "u32"
    ? wgsl<"vec4u">`vec4u(${at(0)}, ${at(1)}, ${at(2)}, ${at(3)})`
    : wgsl<"vec4f">`vec4f(${at(0)}, ${at(1)}, ${at(2)}, ${at(3)})`;
}

/**
 * Writes one element. Packed elements share words with their neighbours, so but for f16 they are not written one by one; of a
 * wide binding, the four of a word are one invocation's to write.
 */
export function storeElement(
  binding: BindingDeclaration,
  index: Wgsl<"u32">,
  value: Wgsl<"f32"> | Wgsl<"u32">,
): Code {
  const half = isWrittenHalf(binding);
  if (isPacked(binding.element) && !half)
    throw new Error(`${binding.name} holds ${binding.element} and cannot be written element by element`);
  const stored = half ? wgsl<"f32">`f16(${value})` : value;
  if (binding.wide === true) return code`${name(binding.name)}[${index} >> 2u][${index} & 3u] = ${stored};`;
  return code`${element<"f32">(name(binding.name), index)} = ${stored};`;
}

/** Writes the whole word of a wide binding that begins at `index`: four f32, or four f16. */
export const storeWord = (binding: BindingDeclaration, index: Wgsl<"u32">, value: Wgsl<"vec4f">): Code => {
  const stored = isWrittenHalf(binding) ? wgsl<"vec4f">`vec4<f16>(${value})` : value;
  return code`${name(binding.name)}[${index} >> 2u] = ${stored};`;
};
