import type { ErrorExample } from "./example.js";

export const names: readonly ErrorExample[] = [
  {
    code: "K0201",
    title: "A name that is not defined",
    meaning:
      "Nothing of this name is defined before this place: it is misspelt, defined further down, or was defined in a `repeat` or in one branch of an `if` and does not outlive it.",
    wrong: { model: "scale = 2\nz = x * scael" },
    mended: { model: "scale = 2\nz = x * scale" },
  },
  {
    code: "K0202",
    title: "A function or block that does not exist",
    meaning:
      "What is called is neither in this file, nor built in, nor in the prelude. Functions of other files are brought by `use`.",
    wrong: { model: "z = sofplus(x)" },
    mended: { model: "z = softplus(x)" },
  },
  {
    code: "K0203",
    title: "A name defined twice",
    meaning: "`=` defines a name once in a body. `:=` and `+=` give it another value.",
    wrong: { model: "z = 2 * x\nz = x / 2" },
    mended: { model: "z = 2 * x\nz := x / 2" },
  },
  {
    code: "K0204",
    title: "A definition that reads itself",
    meaning:
      "A name means its value at this step, so that it can't be in terms of itself. For the value one step earlier there is `prev`, of a `state`; to rebind a value there is `:=`.",
    wrong: { model: "level = 0.9 * level + 0.1 * x" },
    mended: { model: "state level[m]\nlevel = 0.9*prev(level) + 0.1*x" },
  },
  {
    code: "K0205",
    title: "Rebinding what is not defined",
    meaning: "`:=` and `+=` give another value to a name that the same body has defined.",
    wrong: { model: "total += x" },
    mended: { model: "total = x\ntotal += x" },
  },
  {
    code: "K0206",
    title: "Rebinding what is no value",
    meaning: "Inputs, parameters, states and constants keep their meaning in all of the body.",
    wrong: { model: "x += 1" },
    mended: { model: "z = x + 1" },
  },
  {
    code: "K0207",
    title: "A state read before its equation",
    meaning: "Before a state's equation only `prev(h)` is known; after it, `h` is the value at this step.",
    wrong: { model: "state h[m]\nz = h\nh = prev(h) + x" },
    mended: { model: "state h[m]\nh = prev(h) + x\nz = h" },
  },
  {
    code: "K0208",
    title: "A file that does not exist",
    meaning: "Paths after `use … from` are relative to the file that says it.",
    wrong: { beside: 'use mixer from "./mixr.krait"' },
    mended: { beside: 'use mixer from "./mixer.krait"' },
    files: { "mixer.krait": "fn mixer(x) = x\n" },
  },
  {
    code: "K0209",
    title: "Another file lacks the name",
    meaning:
      "`use` brings functions, rules, blocks, constants and axes of another file; after `with` stand constants of that file.",
    wrong: { beside: 'use mixxer from "./mixer.krait"' },
    mended: { beside: 'use mixer from "./mixer.krait"' },
    files: { "mixer.krait": "fn mixer(x) = x\n" },
  },
  {
    code: "K0210",
    title: "Files that use each other",
    meaning: "A file can't use one that uses it. What both need goes into a third.",
    wrong: { beside: 'use f from "./main.krait"' },
    mended: { beside: "fn f(x) = 2 * x" },
  },
  {
    code: "K0211",
    title: "A file without a model",
    meaning: "What is checked or built has a `model`; files without one are for `use`.",
    wrong: { text: "fn double(x) = 2 * x\n" },
    mended: { beside: "fn double(x) = 2 * x" },
  },
  {
    code: "K0212",
    title: "Wrong arguments",
    meaning:
      "The arguments of a call, in number, name or kind, are not those that the function, block or rule takes. The message shows how it is called.",
    wrong: { model: "z = rms_norm(x, over m)" },
    mended: { model: "z = rms_norm(x, over m, 1e-5)" },
  },
  {
    code: "K0213",
    title: "A statement in the wrong part of a body",
    meaning: "Some statements can't stand within `repeat`, since they would stand there many times.",
    wrong: { beside: "fn f(x) {\n  repeat i in 0..2 { return x }\n}", model: "z = f(x)" },
    mended: { beside: "fn f(x) {\n  repeat i in 0..2 { x += i }\n  return x\n}", model: "z = f(x)" },
  },
  {
    code: "K0214",
    title: "Another number of values",
    meaning:
      "As many names stand before `=` as the call gives values, and `return` gives as many as the header says.",
    wrong: { model: "p, q = exp(x)" },
    mended: { model: "p = exp(x)\nq = exp(-x)" },
  },
  {
    code: "K0215",
    title: "No `return`",
    meaning:
      "The last statement of a function or block says what it gives back. After `if` with a `return`, what happens otherwise needs one too.",
    wrong: { beside: "fn double(x) { y = 2 * x }", model: "z = double(x)" },
    mended: { beside: "fn double(x) { return 2 * x }", model: "z = double(x)" },
  },
  {
    code: "K0216",
    title: "Recursion without end",
    meaning:
      "Calls are written out when the model is compiled, so that they have to end. A recurrence over time is a `state`.",
    wrong: { beside: "fn f(x) = f(x / 2)", model: "z = f(x)" },
    mended: {
      beside: "fn f(x, n) {\n  if n == 0 { return x }\n  return f(x / 2, n - 1)\n}",
      model: "z = f(x, 3)",
    },
  },
  {
    code: "K0217",
    title: "A name of another kind",
    meaning:
      "An axis is no value (its coordinates are `pos(m)`, its size is `size(m)`), and a rule is no function (it stands after `by`).",
    wrong: { model: "z = x * m" },
    mended: { model: "z = x * pos(m)" },
  },
  {
    code: "K0218",
    title: "`at` after a function",
    meaning: "`at` says under which path a block finds its parameters. Functions have none.",
    wrong: { model: 'z = softplus(x) at "step"' },
    mended: { model: "z = softplus(x)" },
  },
];
