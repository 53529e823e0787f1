/** A shader's storage bindings. */

export type Element = "f32" | "f16" | "bf16" | "int8" | "int4" | "u32";

export interface BindingDeclaration {
  /** As the shader calls it. */
  readonly name: string;
  readonly access: "read" | "read_write";
  readonly element: Element;
  /**
   * Declared as words of 16 bytes: four f32, or eight of 16 bits, which are then read by words alone. What is written of 16
   * bits is so by four elements, 8 bytes.
   */
  readonly wide?: boolean;
  /** Of one of 16 bits that is written: whoever writes has all of a word, two elements or four; else neighbours are written apart. */
  readonly words?: true;
  /** Of a quantized one: the word of 4 bytes from which on it holds scales. */
  readonly scales?: number;
}
