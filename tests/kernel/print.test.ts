import assert from "node:assert/strict";
import { ExprBuilder } from "../../compiler/5-kernel/expr.js";
import { printKernel } from "../../compiler/5-kernel/print-kernel.js";
import { printWgsl } from "../../compiler/5-kernel/print-wgsl.js";
import type { MapKernel } from "../../compiler/5-kernel/types.js";
import { validateKernel } from "../../compiler/5-kernel/validate.js";
import { InternalError } from "../../compiler/diagnostics/internal-error.js";
import {
  binary,
  code,
  f32,
  literal,
  render,
  u32,
  variable,
  wgsl,
  type Block,
  type Wgsl,
} from "../../templates/wgsl.js";
import { mambaScan } from "../../bench/kernels.js";
import { runKernel } from "../support/run-kernel.js";

describe("typed WGSL", () => {
  it("refuses raw text and fragments of the wrong type", () => {
    const takesF32 = (value: Wgsl<"f32">): string => value.text;
    const takesBlock = (block: Block<"f32">): string => block.value.text;
    assert.equal(takesF32(f32(1)), "1.0");
    // @ts-expect-error a u32 where an f32 belongs
    takesF32(u32(1));
    // @ts-expect-error raw text is no fragment
    takesF32("1.0");
    // @ts-expect-error a block of u32 where one of f32 belongs
    assert.equal(takesBlock({ statements: code`x();`, value: u32(2) }), "2u");
    // Never called: that it compiles is the test.
    const mistakes = (): void => {
      // @ts-expect-error raw text in a hole
      wgsl<"f32">`${"x"} + 1.0`;
      // @ts-expect-error raw text in a hole of statements
      code`${"x"};`;
    };
    assert.equal(typeof mistakes, "function");
  });

  it("puts parentheses where precedence asks for them", () => {
    const [a, b, c] = [variable<"f32">("a"), variable<"f32">("b"), variable<"f32">("c")];
    const sum = binary<"f32">(a, "+", b);
    assert.equal(binary(sum, "*", c).text, "(a + b) * c");
    assert.equal(binary(c, "-", sum).text, "c - (a + b)");
    assert.equal(binary(sum, "-", c).text, "a + b - c");
    assert.equal(
      binary(binary<"bool">(a, "<", b), "&&", binary<"bool">(b, "<", c)).text,
      "(a < b) && (b < c)",
    );
    assert.equal(wgsl<"f32">`${sum} / ${c}`.text, "(a + b) / c");
    assert.equal(wgsl<"f32">`max(${sum}, ${c})`.text, "max(a + b, c)");
  });

  it("writes literals that read back as the same value, and no infinity", () => {
    for (const value of [0, 1, -1, 0.1, 1 / 3, 1e-8, 3.4e38, 16777216, -2.5e-30]) {
      const text = f32(value).text;
      assert.match(text, /[.e]/);
      if (Math.abs(value) < 3e38) assert.equal(Math.fround(Number(text)), Math.fround(value));
    }
    assert.equal(f32(-Infinity).text, "-3e38");
    assert.throws(() => f32(NaN));
    assert.equal(literal("i32", -3).text, "-3i");
  });

  it("indents statements in statements and drops empty holes with their lines", () => {
    const inner = code`
      if (a) {
        b();
      }
    `;
    assert.equal(
      render(code`
      for (;;) {
        ${inner}
        ${code``}
      }
    `),
      "for (;;) {\n  if (a) {\n    b();\n  }\n}\n",
    );
  });
});

const e = new ExprBuilder();
const i = e.variable("i", "u32", "n");
const scale: MapKernel = {
  name: "scale",
  skeleton: "map",
  notes: [],
  bindings: [
    { name: "x", access: "read", element: "f32" },
    { name: "y", access: "read_write", element: "f32" },
  ],
  domain: [{ var: "i", extent: "n" }],
  stores: [{ binding: "y", index: i, value: e.mul(e.load("x", i), 2) }],
  schedule: { workgroup: 64 },
};

describe("printing kernels", () => {
  it("keeps names apart that WGSL or the skeleton have taken", async () => {
    const names = ["element", "loop", "numbers", "group", "x'"] as const;
    const kernel: MapKernel = {
      ...scale,
      bindings: names.map((name, k) => ({ name, access: k === 0 ? "read_write" : "read", element: "f32" })),
      stores: [
        {
          binding: "element",
          index: i,
          value: names
            .slice(1)
            .map((name) => e.load(name, i))
            .reduce((a, b) => e.add(a, b)),
        },
      ],
    };
    const one = Float32Array.of(1, 2, 3);
    const got = await runKernel(kernel, { n: 3 }, Object.fromEntries(names.map((name) => [name, one])));
    assert.deepEqual(got["element"], Float32Array.of(4, 8, 12));
  });

  it("is the same text for the same kernel", () => {
    const print = (): string =>
      printWgsl(mambaScan({ channels: 48, inner: 16 }, { channels: 16, lanes: 2, steps: 8 }), ["b", "t"])
        .code;
    assert.equal(print(), print());
  });

  it("shows a kernel on one screen", () => {
    assert.equal(
      printKernel(scale),
      "map scale  [workgroup 64]\n  reads x: f32\n  writes y: f32\n  for i < n\n  y[i] = (x[i] * 2)\n",
    );
    assert.match(
      printKernel(mambaScan({ channels: 48, inner: 16 }, { channels: 16, lanes: 2, steps: 8 })),
      /state h\[n\] = 0, then h_next/,
    );
  });
});

describe("validation", () => {
  const refuses = (kernel: MapKernel, message: RegExp): void =>
    assert.throws(
      () => validateKernel(kernel, ["n"]),
      (error: unknown) => error instanceof InternalError && message.test(error.message),
    );

  it("takes a whole kernel and refuses a broken one, saying why", () => {
    validateKernel(scale, ["n"]);
    refuses(
      { ...scale, stores: [{ binding: "y", index: e.variable("j"), value: e.f32(0) }] },
      /uses the var j/,
    );
    refuses({ ...scale, stores: [{ binding: "x", index: i, value: e.f32(0) }] }, /read-only/);
    refuses({ ...scale, stores: [{ binding: "y", index: i, value: i }] }, /type u32, not f32/);
    refuses(
      { ...scale, stores: [{ binding: "y", index: i, value: e.load("w", i) }] },
      /reads w, which is not bound/,
    );
    refuses({ ...scale, stores: [] }, /never written/);
    refuses({ ...scale, domain: [{ var: "i", extent: "m" }] }, /m is not a number/);
  });
});
