/**
 * Elements of quantized bindings. Words of 16 bytes: the codes of all elements, the first in the lowest bits, then from the word
 * (of 4 bytes) `scales` on the groups' scales, two bf16 a word. Codes are above zero by half of their range, so that their
 * bits are those of an f32 from 2²³ on: no conversion is needed, and every step is exact.
 */
import type { BindingDeclaration, Element } from "./bindings.js";
import { code, component, element, literal, name, wgsl, type Code, type Wgsl } from "./wgsl.js";

export type Quantized = "int8" | "int4";

export const isQuantized = (of: Element): of is Quantized => of === "int8" || of === "int4";

/** Elements that share a scale (GROUP_ELEMENTS of runtime/bundle-format.ts), as a shift. */
const GROUP_SHIFT = 5;
/** Elements of a word of 4 bytes, as a shift. */
const WORD_SHIFT = { int8: 2, int4: 3 } as const;

/** Elements of a word of 16 bytes. */
export const PIECE_ELEMENTS = { int8: 16, int4: 32 } as const;

const loader = (binding: string): string => `load_${binding}`;
const fourLoader = (binding: string): string => `load_four_${binding}`;
const codesLoader = (binding: string): string => `load_codes_${binding}`;
const scaleLoader = (binding: string): string => `load_scale_${binding}`;

/** Functions that take one element or four in a row, the codes of four, and the scale of an element's group. */
export function declareQuantized(
  binding: BindingDeclaration,
  { fours, codes }: { readonly fours: boolean; readonly codes: boolean },
): readonly Code[] {
  const { element: of } = binding;
  if (!isQuantized(of)) return [];
  return [
    declareScale(binding),
    declareOne(binding, of),
    ...(fours || codes ? [declareCodes(binding, of)] : []),
    ...(fours ? [declareFour(binding, of)] : []),
  ];
}

/** `word`: the one of 4 bytes at `at`. */
const bindWord = ({ name: binding }: BindingDeclaration): Code =>
  code`let word = ${name(binding)}[at >> 2u][at & 3u];`;

function declareScale(binding: BindingDeclaration): Code {
  const { scales = 0 } = binding;
  return code`
    fn ${name(scaleLoader(binding.name))}(index: u32) -> f32 {
      let group = index >> ${GROUP_SHIFT}u;
      let at = ${scales}u + (group >> 1u);
      ${bindWord(binding)}
      return bitcast<f32>((word >> ((group & 1u) * 16u)) << 16u);
    }
  `;
}

function declareOne(binding: BindingDeclaration, of: Quantized): Code {
  const bits = of === "int4" ? 4 : 8;
  const shift = WORD_SHIFT[of];
  return code`
    fn ${name(loader(binding.name))}(index: u32) -> f32 {
      let at = index >> ${shift}u;
      ${bindWord(binding)}
      let code = (word >> ((index & ${2 ** shift - 1}u) * ${bits}u)) & ${2 ** bits - 1}u;
      return (f32(code) - ${literal("f32", 2 ** (bits - 1))}) * ${name(scaleLoader(binding.name))}(index);
    }
  `;
}

/** Four codes as whole numbers, from the low half of a word (int4) or all of it (int8). */
function declareCodes(binding: BindingDeclaration, of: Quantized): Code {
  const lines =
    of === "int4"
      ? code`
          let bits = vec4u(word) & vec4u(0xfu, 0xf0u, 0xf00u, 0xf000u);
          let scaled = bitcast<vec4f>(bits | vec4u(0x4b000000u));
          return scaled * vec4f(1.0, 0.0625, 0.00390625, 0.000244140625) - vec4f(8388616.0, 524296.0, 32776.0, 2056.0);
        `
      : code`
          let high = word >> 16u;
          let bits = vec4u(word, word, high, high) & vec4u(0xffu, 0xff00u, 0xffu, 0xff00u);
          let scaled = bitcast<vec4f>(bits | vec4u(0x4b000000u));
          return scaled * vec4f(1.0, 0.00390625, 1.0, 0.00390625) - vec4f(8388736.0, 32896.0, 8388736.0, 32896.0);
        `;
  return code`
    fn ${name(codesLoader(binding.name))}(word: u32) -> vec4f {
      ${lines}
    }
  `;
}

/** Elements index … index + 3, where index is a multiple of four: of one word, and of one group. */
function declareFour(binding: BindingDeclaration, of: Quantized): Code {
  const codes = of === "int4" ? wgsl<"u32">`word >> ((index & 4u) * 4u)` : wgsl<"u32">`word`;
  return code`
    fn ${name(fourLoader(binding.name))}(index: u32) -> vec4f {
      let at = index >> ${WORD_SHIFT[of]}u;
      ${bindWord(binding)}
      return ${name(codesLoader(binding.name))}(${codes}) * ${name(scaleLoader(binding.name))}(index);
    }
  `;
}

/** The word of 16 bytes that begins at the element `index`. */
export function loadPiece(
  { name: binding, element: of }: BindingDeclaration,
  index: Wgsl<"u32">,
): Wgsl<"vec4u"> {
  const shift = of === "int4" ? 5 : 4;
  return element<"vec4u">(name(binding), wgsl<"u32">`${index} >> ${shift}u`);
}

/** Of such a word the i-th four elements, not scaled yet. */
export function codesOfPiece(
  { name: binding, element: of }: BindingDeclaration,
  piece: Wgsl<"vec4u">,
  i: number,
): Wgsl<"vec4f"> {
  const part = component<"u32">(piece, (of === "int4" ? i >> 1 : i) as 0 | 1 | 2 | 3);
  const word = of === "int4" && i % 2 === 1 ? wgsl<"u32">`${part} >> 16u` : part;
  return wgsl<"vec4f">`${name(codesLoader(binding))}(${word})`;
}

export const loadScale = ({ name: binding }: BindingDeclaration, index: Wgsl<"u32">): Wgsl<"f32"> =>
  wgsl<"f32">`${name(scaleLoader(binding))}(${index})`;
