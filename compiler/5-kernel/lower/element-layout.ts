/** How many bytes elements take in memory: the compiler's one place that knows (shaders: templates/accessors.ts). */
import {
  GROUP_ELEMENTS,
  RANGE_ELEMENTS,
  STORAGE_BITS,
  type Storage,
} from "../../../runtime/bundle-format.js";

type Element = Storage | "u32";

/** What packed buffers are rounded up to: a word of a binding, which is one of 16 bytes where elements are quantized. */
const WORD_BYTES = 4;
const WIDE_BYTES = 16;
const SCALE_BYTES = 2;

export const isQuantized = (element: Element): boolean => element === "int8" || element === "int4";

/** Two elements a word. */
export const isHalf = (element: Element): boolean => element === "f16" || element === "bf16";

const bitsOf = (element: Element): number => (element === "u32" ? 32 : STORAGE_BITS[element]);

/** Bytes of an element; of a quantized one with its share of the scale. */
export const bytesOfElement = (element: Element): number =>
  bitsOf(element) / 8 + (isQuantized(element) ? SCALE_BYTES / GROUP_ELEMENTS : 0);

/** Bytes of so many elements without scales; of quantized ones, of whole groups. */
export const bytesOfCodes = (element: Element, count: number): number => {
  const whole = isQuantized(element) ? Math.ceil(count / GROUP_ELEMENTS) * GROUP_ELEMENTS : count;
  return (whole * bitsOf(element)) / 8;
};

/** Bytes of a buffer of so many elements. */
export function bytesOfElements(element: Element, count: number): number {
  if (!isQuantized(element)) return Math.ceil((count * bitsOf(element)) / 8 / WORD_BYTES) * WORD_BYTES;
  const scales = Math.ceil(count / GROUP_ELEMENTS) * SCALE_BYTES;
  return Math.ceil((bytesOfCodes(element, count) + scales) / WIDE_BYTES) * WIDE_BYTES;
}

/** Where the scales of elements from here on lie, seen from the first scale. */
export const scaleOffset = (begin: number): number => (begin / GROUP_ELEMENTS) * SCALE_BYTES;

/** A buffer that has elements from here on begins at or before them, with this one. */
export const alignedBegin = (element: Element, begin: number): number =>
  isQuantized(element) ? Math.floor(begin / RANGE_ELEMENTS) * RANGE_ELEMENTS : begin;

/** The most bytes that a bank of so many elements takes, wherever in its tensor it begins. */
export const bytesOfBank = (element: Element, count: number): number =>
  bytesOfElements(element, count + (isQuantized(element) ? RANGE_ELEMENTS - 1 : 0));

/** Elements of which a bank has a multiple, so that it ends with a whole word. Quantized ones are filled up. */
export const elementsOfWord = (element: Element): 1 | 2 => (bitsOf(element) === 16 ? 2 : 1);
