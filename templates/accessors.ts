/** How a shader reads and writes its bindings: the one place that knows how elements lie in memory. */
import type { BindingDeclaration, Element } from "./bindings.js";
import { declareQuantized, isQuantized } from "./quantized.js";
import { code, component, element, join, name, wgsl, type Code, type Name, type Wgsl } from "./wgsl.js";

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
  const lines = bindings.map((binding, i) => {
    const mode = binding.access === "read" ? name("read") : name("read_write");
    const isFour = binding.wide === true && isWrittenHalf(binding);
    return isFour
      ? code`@group(0) @binding(${i + 1}) var<storage, ${mode}> ${name(binding.name)}: array<vec4<f16>>;`
      : code`@group(0) @binding(${i + 1}) var<storage, ${mode}> ${name(binding.name)}: array<${name(elementType(binding))}>;`;
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
function elementType(binding: BindingDeclaration): string {
  const { element: of, wide } = binding;
  if (isWrittenHalf(binding)) return "f16";
  if (isWrittenByWords(binding)) return wide === true ? "vec2u" : "u32";
  const scalar = of === "f32" ? "f32" : "u32";
  return wide === true || isQuantized(of) ? `vec4${scalar.charAt(0)}` : scalar;
}

/** Whether a binding's elements are f16 in the shader's own type (extension `f16`), for neighbours are written apart. */
export const isWrittenHalf = ({ access, element: of, words }: Omit<BindingDeclaration, "name">): boolean =>
  access === "read_write" && of === "f16" && words !== true;

/** Whether a binding's elements are rounded and packed by whoever writes them. */
export const isWrittenByWords = ({ access, words }: Omit<BindingDeclaration, "name">): boolean =>
  access === "read_write" && words === true;

/** Accessors beyond those of single elements, by bindings' names. */
export interface UsedAccessors {
  /** Four elements in a row. */
  readonly fours: ReadonlySet<string>;
  /** Four words, each of two elements. */
  readonly pairs: ReadonlySet<string>;
  /** Of quantized ones, codes alone. */
  readonly codes: ReadonlySet<string>;
  /** Of wide ones of 16 bits, single elements. */
  readonly elements: ReadonlySet<string>;
}

/** Functions that take one element, or several, out of packed words, and that pack two. */
export function declareAccessors(
  bindings: readonly BindingDeclaration[],
  { fours, pairs, codes, elements }: UsedAccessors,
): readonly Code[] {
  return bindings
    .filter((each) => isPacked(each.element) && !isWrittenHalf(each))
    .flatMap((binding) => {
      const { name: of, element: type, wide } = binding;
      if (isWrittenByWords(binding)) return [declarePack(binding)];
      if (wide === true) return elements.has(of) ? [declareOne(binding)] : [];
      if (isQuantized(type)) return declareQuantized(binding, { fours: fours.has(of), codes: codes.has(of) });
      return [
        declareOne(binding),
        ...(fours.has(of) ? [declareFour(binding)] : []),
        ...(pairs.has(of) ? declareHalves(binding) : []),
      ];
    });
}

const loader = (binding: string): string => `load_${binding}`;
const fourLoader = (binding: string): string => `load_four_${binding}`;
const packer = (binding: string): string => `pack_${binding}`;
const HALVES = ["low", "high"] as const;

function declareOne({ name: binding, element: of, wide }: BindingDeclaration): Code {
  const words = name(binding);
  const word = element<"u32">(words, wgsl<"u32">`index >> 1u`);
  const wordOfFour = wgsl<"u32">`${words}[index >> 3u][(index >> 1u) & 3u]`;
  const half = wgsl<"u32">`${wide === true ? wordOfFour : word} >> ((index & 1u) * 16u)`;
  const value =
    of === "f16" ? wgsl<"f32">`unpack2x16float(${half}).x` : wgsl<"f32">`bitcast<f32>(${half} << 16u)`;
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

/** Of four words the elements in their low halves, and those in their high ones. */
function declareHalves({ name: binding, element: of }: BindingDeclaration): readonly Code[] {
  return HALVES.map((half) => {
    const of16 = (word: string): Wgsl<"f32"> =>
      wgsl<"f32">`unpack2x16float(words.${name(word)}).${name(half === "low" ? "x" : "y")}`;
    const value =
      of === "f16"
        ? wgsl<"vec4f">`vec4f(${of16("x")}, ${of16("y")}, ${of16("z")}, ${of16("w")})`
        : half === "low"
          ? wgsl<"vec4f">`bitcast<vec4f>(words << vec4u(16u))`
          : wgsl<"vec4f">`bitcast<vec4f>(words & vec4u(0xffff0000u))`;
    return code`
      fn ${name(`${half}_${binding}`)}(words: vec4u) -> vec4f {
        return ${value};
      }
    `;
  });
}

/**
 * Two neighbours as a word, each rounded to the nearest, halves to even. What is beyond the largest number becomes infinite, what is
 * no number stays none. WGSL says so of neither: pack2x16float gives anything from 65520 on, and of bf16 rounding would carry
 * some of what is no number into the sign.
 */
function declarePack({ name: binding, element: of }: BindingDeclaration): Code {
  const body =
    of === "f16"
      ? code`
          let bits = bitcast<vec2u>(value);
          let size = bits & vec2u(0x7fffffffu);
          let isBeyond = size >= vec2u(0x477ff000u);
          let special = select(vec2u(0x7c00u), vec2u(0x7e00u), size > vec2u(0x7f800000u));
          let halves = select(vec2u(0u), special | ((bits >> vec2u(16u)) & vec2u(0x8000u)), isBeyond);
          return pack2x16float(select(value, vec2f(0.0), isBeyond)) | halves.x | (halves.y << 16u);
        `
      : code`
          let bits = bitcast<vec2u>(value);
          let nearest = bits + 0x7fffu + ((bits >> vec2u(16u)) & vec2u(1u));
          let isNumber = (bits & vec2u(0x7fffffffu)) <= vec2u(0x7f800000u);
          let rounded = select(bits | vec2u(0x400000u), nearest, isNumber);
          return (rounded.x >> 16u) | (rounded.y & 0xffff0000u);
        `;
  return code`
    fn ${name(packer(binding))}(value: vec2f) -> u32 {
      ${body}
    }
  `;
}

/** The words that hold elements `first` and the one after it, at four even indexes. */
export function loadPairs(binding: BindingDeclaration, first: Wgsl<"vec4u">): Wgsl<"vec4u"> {
  const at = (i: 0 | 1 | 2 | 3): Wgsl<"u32"> =>
    element<"u32">(name(binding.name), wgsl<"u32">`${component<"u32">(first, i)} >> 1u`);
  return wgsl<"vec4u">`vec4u(${at(0)}, ${at(1)}, ${at(2)}, ${at(3)})`;
}

/** Of such words, the first elements or the second. */
export const halfOfPairs = (
  binding: BindingDeclaration,
  words: Wgsl<"vec4u">,
  half: (typeof HALVES)[number],
): Wgsl<"vec4f"> => wgsl<"vec4f">`${name(`${half}_${binding.name}`)}(${words})`;

/** Writes two neighbours, from an even index. */
export const storePair = (
  binding: BindingDeclaration,
  index: Wgsl<"u32">,
  [first, second]: readonly [Wgsl<"f32">, Wgsl<"f32">],
): Code =>
  code`${element<"u32">(name(binding.name), wgsl<"u32">`${index} >> 1u`)} = ${name(packer(binding.name))}(vec2f(${first}, ${second}));`;

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

/** The low or the high four of a word of eight f16, or bf16. */
export function fourOfWord(
  word: Wgsl<"vec4u">,
  half: "low" | "high",
  of: "f16" | "bf16" = "f16",
): Wgsl<"vec4f"> {
  const [p, q] = (half === "low" ? ["x", "y"] : ["z", "w"]).map((each) => name(each)) as [Name, Name];
  return of === "f16"
    ? wgsl<"vec4f">`vec4f(unpack2x16float(${word}.${p}), unpack2x16float(${word}.${q}))`
    : wgsl<"vec4f">`bitcast<vec4f>(vec4u(${word}.${p} << 16u, ${word}.${p} & 0xffff0000u, ${word}.${q} << 16u, ${word}.${q} & 0xffff0000u))`;
}

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

/** Writes the whole word of a wide binding that begins at `index`: four f32, or four of 16 bits. `value` is a name. */
export const storeWord = (binding: BindingDeclaration, index: Wgsl<"u32">, value: Wgsl<"vec4f">): Code => {
  if (isWrittenByWords(binding)) {
    const pack = name(packer(binding.name));
    return code`${name(binding.name)}[${index} >> 2u] = vec2u(${pack}(${value}.xy), ${pack}(${value}.zw));`;
  }
  const stored = isWrittenHalf(binding) ? wgsl<"vec4f">`vec4<f16>(${value})` : value;
  return code`${name(binding.name)}[${index} >> 2u] = ${stored};`;
};
