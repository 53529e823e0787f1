import type { ErrorExample } from "./example.js";

export const constants: readonly ErrorExample[] = [
  {
    code: "K0301",
    title: "Not known when the model is compiled",
    meaning:
      "Bounds of `repeat`, conditions of `if`, sizes of axes, initial values and `const` are computed at compile time. Inputs and parameters are known only when the model runs.",
    wrong: { model: "const gain = 2 * x" },
    mended: { model: "gain = 2 * x" },
  },
  {
    code: "K0302",
    title: "An operation that these constants do not have",
    meaning:
      "Operators and functions of constants work on numbers; lists have `[i]`, `in`, `find` and `len`.",
    wrong: { beside: 'const name = 1 + "a"' },
    mended: { beside: 'const name = "1a"' },
  },
  {
    code: "K0303",
    title: "`--set` of a constant that does not exist",
    meaning: "`--set name=value` is for constants at the top of the main file.",
    wrong: { beside: "const width = 3" },
    mended: { beside: "const width = 3, widht = 4" },
    set: { widht: 4 },
  },
  {
    code: "K0304",
    title: "A value of another type from outside",
    meaning: "What `--set`, `use … with` and config.json give a constant has the type of its definition.",
    wrong: { beside: 'const bias = true from "use_bias"' },
    mended: { beside: 'const bias = 0 from "use_bias"' },
    config: { use_bias: 1 },
  },
  {
    code: "K0305",
    title: "Constants that need each other",
    meaning: "Definitions at the top of a file may stand in any order, but not in a circle.",
    wrong: { beside: "const inner = 2 * width, width = inner / 2" },
    mended: { beside: "const inner = 2 * width, width = 3" },
  },
  {
    code: "K0306",
    title: "Bounds of `repeat` that are no whole numbers",
    meaning: "`repeat i in a..b` counts from a to b − 1.",
    wrong: { model: "repeat i in 0..1.5 { z = x }" },
    mended: { model: "repeat i in 0..ceil(1.5) { z = x }" },
  },
  {
    code: "K0307",
    title: "A condition that is not true or false",
    meaning:
      "`if` chooses when the model is compiled, by a constant that is true or false: a number has to be compared. To choose between values of a tensor there is `select`.",
    wrong: { beside: "const layers = 2", model: "if layers { z = x } else { z = 2 * x }" },
    mended: { beside: "const layers = 2", model: "if layers > 0 { z = x } else { z = 2 * x }" },
  },
  {
    code: "K0308",
    title: "A `repeat` that never runs",
    meaning:
      "Its second bound is below the first, and it counts upwards. This is a warning: with other constants it may run.",
    wrong: { model: "repeat i in 3..0 { z = x * i }" },
    mended: { model: "repeat i in 0..3 { z = x * (3 - i) }" },
  },
  {
    code: "K0309",
    title: "A list of another length than its axis",
    meaning: "`const w[m] = [ … ]` has a number for each coordinate of `m`, whose size is fixed.",
    wrong: { beside: "const w[n] = [0.5, 0.25]", model: "z = x * w" },
    mended: { beside: "const w[n] = [0.5, 0.25, 0.125, 0.0625]", model: "z = x * w" },
  },
  {
    code: "K0310",
    title: "Constants that are too large",
    meaning:
      "Every constant is in the bundle, with all of its items. Lists that are joined to lists again and again soon have more than fit anywhere.",
    wrong: {
      beside: [
        'const a = "0123456789"',
        ..."abcdef".split("").map((name, i) => {
          const of = Array.from({ length: 8 }, () => name).join(" + ");
          return `const ${"bcdefg".charAt(i)} = ${of}`;
        }),
      ].join("\n"),
    },
    mended: { beside: 'const a = "0123456789"\nconst b = a + a' },
  },
  {
    code: "K0315",
    title: "A `repeat` of too many rounds",
    meaning:
      "Each round is written out when the model is compiled, as a layer is. What runs along a sequence is a recurrence, what runs over elements an axis.",
    wrong: { model: "total = x\nrepeat i in 0..1000000 { total += x * i }" },
    mended: { beside: "axis i = 1000000", model: "total = x + x*sum(pos(i), over i)" },
  },
];

export const axes: readonly ErrorExample[] = [
  {
    code: "K0320",
    title: "An axis that does not exist",
    meaning:
      "Every axis is declared by `axis` at the top of the file or in the body. `m'` needs no declaration if `m` has one.",
    wrong: { beside: "axis strand = 2", model: "param w[strnad]\nz = x" },
    mended: { beside: "axis strand = 2", model: "param w[strand]\nz = x" },
  },
  {
    code: "K0321",
    title: "A size that is no whole number of at least 1",
    meaning: "The size of an axis is computed from constants; `/` never truncates.",
    wrong: { beside: "const width = 5\naxis half = width / 2" },
    mended: { beside: "const width = 5\naxis half = ceil(width / 2)" },
  },
  {
    code: "K0322",
    title: "A product or sum that can't be made",
    meaning:
      "`[a, b]` is a product and `a | b` a sum of axes that are declared, of fixed size and different.",
    wrong: { beside: "axis d = [m, 2]" },
    mended: { beside: "axis pair = 2, d = [m, pair]" },
  },
  {
    code: "K0323",
    title: "An axis that a block uses and is mapped over",
    meaning:
      "A block is mapped over all axes of its arguments that its header does not name. One that its body uses by name can't be among them.",
    wrong: {
      beside: "block f(u[t, m]) -> [t, m] {\n  return sum(u * pos(n), over n)\n}",
      model: "param w[n]\nz = f(x * w)",
    },
    mended: {
      beside: "block f(u[t, m]) -> [t, m] {\n  return sum(u * pos(n), over n)\n}",
      model: "param w[n]\nz = f((x * w)[n -> n'])",
    },
  },
  {
    code: "K0324",
    title: "A size that is known only when the model runs",
    meaning:
      "Batch and time have the sizes of the inputs, so that `size` has nothing to say of them at compile time.",
    wrong: { model: "z = x / size(t)" },
    mended: { model: "z = x / size(m)" },
  },
  {
    code: "K0325",
    title: "An axis that can't become another",
    meaning: "`x[d -> e]` renames an axis to one of its size, or takes a part of a sum.",
    wrong: { model: "z = x[m -> n]" },
    mended: { model: "z = x[m -> m']" },
  },
  {
    code: "K0326",
    title: "A slot that a shape can't have",
    meaning:
      "A shape is a set of axes: none stands twice, and a copy (`m'`) is another axis. The only number among them is 1, a dimension without an axis.",
    wrong: { model: "param w[m, m]" },
    mended: { model: "param w[m', m]" },
  },
  {
    code: "K0327",
    title: "An axis that is too large",
    meaning:
      "Coordinates are 32-bit numbers on the GPU, and an axis has at most 64 factors and parts. Is a constant wrong, or a product of axes not what was meant?",
    wrong: { beside: "axis wide = 2^40" },
    mended: { beside: "axis wide = 2^10" },
  },
];
