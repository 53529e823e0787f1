import type { ErrorExample } from "./example.js";

export const shapes: readonly ErrorExample[] = [
  {
    code: "K0401",
    title: "A value lacks the axis that an operation works over",
    meaning:
      "The axis after `over`, `along` or in `[…]` is one of the value's. `dot` sums over an axis that both sides have.",
    wrong: { model: "param w[n]\nz = dot(w, x, over n)" },
    mended: { model: "param w[m]\nz = dot(w, x, over m)" },
  },
  {
    code: "K0402",
    title: "An axis too many",
    meaning:
      "Where a value meets a declaration (an argument, what a block returns, an output, a state) it has no other axes than those named there. Elementwise operators give the axes of both sides, so that one that was not meant to be there often comes from an operand.",
    wrong: { model: "output mean[b, t] = x" },
    mended: { model: "output mean[b, t] = sum(x, over m) / size(m)" },
  },
  {
    code: "K0403",
    title: "An axis too few",
    meaning: "A value has all axes of fixed size of the declaration that it meets.",
    wrong: {
      beside: "block f(u[t, m]) -> [t, m] { return u }",
      model: "z = f(sum(x, over m))",
    },
    mended: { beside: "block f(u[t, m]) -> [t, m] { return u }", model: "z = f(x)" },
  },
  {
    code: "K0404",
    title: "Renaming to an axis that the value has already",
    meaning: "A shape is a set: after renaming, all axes differ.",
    wrong: { beside: "axis k = 6", model: "param w[k, m]\nz = w[k -> m]" },
    mended: { beside: "axis k = 6", model: "param w[k, m]\nz = w[k -> m']" },
  },
  {
    code: "K0405",
    title: "Picking by something that is no whole number",
    meaning:
      "`x[v: i]` takes a constant, or a tensor of type `index`: an input declared `index(v)`, a position, or what is computed from those.",
    wrong: { model: "param w[n]\nz = w[n: x]" },
    mended: { model: "input token: index(n)[b, t]\nparam w[n]\nz = w[n: token]" },
  },
  {
    code: "K0406",
    title: "A value of the wrong type",
    meaning:
      "Truths (of comparisons) are no numbers, complex numbers have no order, and a real state or output takes no complex value.",
    wrong: { model: "z = x * (x > 0)" },
    mended: { model: "z = select(x > 0, x, 0)" },
  },
  {
    code: "K0407",
    title: "A coordinate that an axis does not have",
    meaning: "Coordinates count from 0 to the size less one.",
    wrong: { model: "z = x[m: 6]" },
    mended: { model: "z = x[m: 5]" },
  },
  {
    code: "K0408",
    title: "`stack` or `concat` of what does not fit together",
    meaning:
      "`stack` needs an axis of as many coordinates as values; `concat` one that is the sum of the values' axes.",
    wrong: { model: "z = stack(x, 2 * x, as n)" },
    mended: { beside: "axis pair = 2", model: "z = stack(x, 2 * x, as pair)" },
  },
  {
    code: "K0409",
    title: "Not a number or a tensor",
    meaning:
      "Strings and lists are constants; only numbers meet tensors. A list along an axis is `const w[n] = […]`.",
    wrong: { model: 'z = x + "one"' },
    mended: { model: "z = x + 1" },
  },
  {
    code: "K0410",
    title: "A constant coordinate of batch or time",
    meaning:
      "How many steps there are is known only when the model runs, so that none can be picked by its number. Earlier values are `prev`; a choice by position is `select(pos(t) …)`.",
    wrong: { model: "z = x[t: 0]" },
    mended: { model: "z = select(pos(t) == 0, x, 0)" },
  },
  {
    code: "K0411",
    title: "A tensor indexed without an axis",
    meaning:
      "The axes of a value have no order, so that an index says which one it is for. Lists of constants have `list[i]`.",
    wrong: { model: "z = x[0]" },
    mended: { model: "z = x[m: 0]" },
  },
  {
    code: "K0415",
    title: "A value that is too large",
    meaning:
      "No device holds it. Elementwise operators give the axes of both sides: contract (`dot`) instead of multiplying first and summing after.",
    wrong: {
      beside: "axis p = 2^20, q = 2^20",
      model: "param w[p], v[q]\nz = x * sum(w * v, over [p, q])",
    },
    mended: {
      beside: "axis p = 2^20, q = 2^20",
      model: "param w[p], v[q]\nz = x * sum(w, over p) * sum(v, over q)",
    },
  },
];

export const recurrences: readonly ErrorExample[] = [
  {
    code: "K0501",
    title: "A state without an equation",
    meaning: "Every state gets one equation: `h = …` or `der(h) = … by rule(step)`.",
    wrong: { model: "state h[m]" },
    mended: { model: "state h[m]\nh = 0.9*prev(h) + x" },
  },
  {
    code: "K0502",
    title: "A state with two equations",
    meaning: "A state's value at a step is said once. What is added belongs into the equation.",
    wrong: { model: "state h[m]\nh = 0.9 * prev(h)\nh = prev(h) + x" },
    mended: { model: "state h[m]\nh = 0.9*prev(h) + x" },
  },
  {
    code: "K0503",
    title: "`prev` of what does not change",
    meaning:
      "A constant or a parameter has the same value at every step, so that an earlier one makes no sense.",
    wrong: { model: "param w[m]\nz = prev(w) * x" },
    mended: { model: "param w[m]\nz = prev(w * x)" },
  },
  {
    code: "K0504",
    title: "A continuous equation that is not linear",
    meaning:
      "A discretization rule solves der(h) = a·h + b, with a and b free of h. Other equations are written step by step.",
    wrong: { model: "state h[m]\nder(h) = x - h*h  by euler(0.1)" },
    mended: { model: "state h[m]\nh = prev(h) + 0.1*(x - prev(h)^2)" },
  },
  {
    code: "K0505",
    title: "A continuous equation that mixes elements",
    meaning:
      "The rules work on each element by itself; a matrix in front of h couples them. Such a step is written out.",
    wrong: { model: "param A[m', m]\nstate h[m]\nder(h) = dot(A, h, over m)[m' -> m] + x  by euler(0.1)" },
    mended: {
      model: "param A[m', m]\nstate h[m]\nh = prev(h) + 0.1*(dot(A, prev(h), over m)[m' -> m] + x)",
    },
  },
  {
    code: "K0506",
    title: "A rule for another form",
    meaning: "A rule names a and b of `a*h + b`, and says what a step of it is.",
    wrong: {
      beside: "rule half(step): der(h) = a*h\n  => h = prev(h)",
      model: "state h[m]\nder(h) = x  by half(1)",
    },
    mended: {
      beside: "rule half(step): der(h) = a*h + b\n  => h = (1 + step*a)*prev(h) + step*b",
      model: "state h[m]\nder(h) = x  by half(1)",
    },
  },
  {
    code: "K0507",
    title: "A recurrence without time",
    meaning: "States and `prev` need an axis of time that orders the steps.",
    wrong: {
      text: "axis m = 2\n\nmodel example {\n  param w[m]\n  state h[m]\n  h = 0.5*prev(h) + w\n  output y[m] = h\n}\n",
    },
    mended: {
      text: "axis b: batch, t: time, m = 2\n\nmodel example {\n  param w[m]\n  input x: f32[b, t, m]\n  state h[m]\n  h = 0.5*prev(h) + w*x\n  output y[b, t, m] = h\n}\n",
    },
  },
  {
    code: "K0508",
    title: "A convolution along something else than time",
    meaning: "`causal_conv` reads earlier steps, which only an axis of time has.",
    wrong: { model: "param w[n]\nz = causal_conv(x, w, along m, over n)" },
    mended: { model: "param w[n]\nz = causal_conv(x, w, along t, over n)" },
  },
  {
    code: "K0509",
    title: "A state declared over time",
    meaning: "A state has one value at each step; its name means the one at this step.",
    wrong: { model: "state h[t, m]\nh = prev(h) + x" },
    mended: { model: "state h[m]\nh = prev(h) + x" },
  },
  {
    code: "K0510",
    title: "A rule that does not exist",
    meaning: "After `by` stands a rule of this file, of a `use`, or of the prelude.",
    wrong: { model: "state h[m]\nder(h) = x - h  by exp_eulr(1)" },
    mended: { model: "state h[m]\nder(h) = x - h  by exp_euler(1)" },
  },
  {
    code: "K0511",
    title: "Not a state",
    meaning: "`der` is of a state, and `prev` of a name that is being defined needs that it is one.",
    wrong: { model: "h = 0.5*prev(h) + x" },
    mended: { model: "state h[m]\nh = 0.5*prev(h) + x" },
  },
  {
    code: "K0512",
    title: "A recurrence along a product of time and another axis",
    meaning: "Steps are ordered by one axis of time. In a product, its factor that is time is named instead.",
    wrong: {
      beside: "axis hop = 2, f: time = [t, hop]\n\nblock change(u[f, m]) -> [f, m] { return u - prev(u) }",
      model: "z = change(x * pos(hop))",
    },
    mended: {
      beside: "axis hop = 2\n\nblock change(u[t, m]) -> [t, m] { return u - prev(u) }",
      model: "z = change(x * pos(hop))",
    },
  },
];

export const params: readonly ErrorExample[] = [
  {
    code: "K0601",
    title: "Stacked parameters without one `_`",
    meaning: "The layout of the tensor says by one `_` where the parts stack.",
    wrong: { model: 'param (w[n] | v[n])[m] from "w"' },
    mended: { model: 'param (w[n] | v[n])[_, m] from "w"' },
  },
  {
    code: "K0602",
    title: "Stacked parameters without a name",
    meaning: "A single parameter is found by its own name; several in one tensor need that of the tensor.",
    wrong: { model: "param (w[n] | v[n])[_, m]" },
    mended: { model: 'param (w[n] | v[n])[_, m] from "in_proj.weight"' },
  },
  {
    code: "K0603",
    title: "A hole that no constant fills",
    meaning: "`{name}` in a path is filled by a constant or by what `repeat` counts.",
    wrong: { model: 'repeat layer in 0..2 { param w[m] from "layers.{lyer}.w" }' },
    mended: { model: 'repeat layer in 0..2 { param w[m] from "layers.{layer}.w" }' },
  },
  {
    code: "K0604",
    title: "A tensor read in two shapes",
    meaning: "Two parameters may share a tensor of the checkpoint; then they agree on its shape.",
    wrong: { model: 'param w[m] from "w"\nparam v[n] from "w"\nz = x * w * sum(v, over n)' },
    mended: { model: 'param w[m] from "w"\nparam v[n] from "v"\nz = x * w * sum(v, over n)' },
  },
  {
    code: "K0605",
    title: "A parameter over batch or time",
    meaning: "A parameter is the same for all sequences and steps.",
    wrong: { model: "param w[t, m]\nz = x * w" },
    mended: { model: "param w[m]\nz = x * w" },
  },
  {
    code: "K0606",
    title: "A path for each coordinate, and one for all",
    meaning:
      "`{e}` of an axis `e` of the parameter means one tensor for each coordinate, stacked; then every alternative after `|` says which one it is.",
    wrong: { beside: "axis e = 2", model: 'param w[e, m] from "experts.{e}.w" | "experts.w"\nz = x * w' },
    mended: { beside: "axis e = 2", model: 'param w[e, m] from "experts.{e}.w" | "expert_{e}.w"\nz = x * w' },
  },
  {
    code: "K0607",
    title: "A parameter gathered from too many tensors",
    meaning: "`{e}` of an axis `e` means one tensor of the checkpoint for each coordinate.",
    wrong: { beside: "axis e = 100000", model: 'param w[e, m] from "rows.{e}"\nz = sum(w, over e) * x' },
    mended: { beside: "axis e = 100000", model: 'param w[e, m] from "rows"\nz = sum(w, over e) * x' },
  },
  {
    code: "K0608",
    title: "A path that is too long",
    meaning: "A path is the name of a tensor in the checkpoint, with constants where it has `{…}`.",
    wrong: {
      beside: 'const a = "0123456789"\nconst c = a + a + a + a + a + a + a + a',
      model: `param w[m] from "${"{c}".repeat(60)}"\nz = x * w`,
    },
    mended: { beside: 'const a = "0123456789"', model: 'param w[m] from "tensor.{a}"\nz = x * w' },
  },
];

export const programs: readonly ErrorExample[] = [
  {
    code: "K0701",
    title: "A model without outputs",
    meaning: "A model computes its outputs and nothing else.",
    wrong: { text: "axis b: batch, t: time, m = 6\n\nmodel example {\n  input x: f32[b, t, m]\n}\n" },
    mended: { model: "output y[b, t, m] = x" },
  },
  {
    code: "K0702",
    title: "An unknown type of inputs or outputs",
    meaning:
      "Inputs and outputs are `f32`, or `index(v)`: whole numbers below the size of `v`. Arithmetic is f32.",
    wrong: { model: "input gate: f64[b, t, m]\nz = x * gate" },
    mended: { model: "input gate: f32[b, t, m]\nz = x * gate" },
  },
  {
    code: "K0703",
    title: "A model of too many parts",
    meaning:
      "Calls and rounds of `repeat` are written out when the model is compiled, expression for expression; nested ones multiply.",
    wrong: { model: "total = x\nrepeat i in 0..9000 {\n  repeat j in 0..9000 { total += 1 }\n}" },
    mended: { model: "total = x\nrepeat i in 0..9 {\n  repeat j in 0..9 { total += 1 }\n}" },
  },
  {
    code: "K0710",
    title: "An unknown target profile",
    meaning: "`--target` names a profile of features and limits that devices have; without it all are built.",
    wrong: { model: "z = x", targets: ["webgpu"] },
    mended: { model: "z = x", targets: ["baseline"] },
  },
  {
    code: "K0711",
    title: "A model that is too involved",
    meaning:
      "Operations that depend on each other in a chain of thousands take the compiler more stack or a kernel more lines than there are. Layers and recurrences over time don't.",
    wrong: { model: "a = x\nrepeat i in 0..9000 { a := sin(a) }\noutput z[b, t, m] = a" },
    mended: { model: "state a[m]\na = sin(prev(a)) + x\noutput z[b, t, m] = a" },
  },
  {
    code: "K0712",
    title: "Documents that cannot be packed",
    meaning:
      "In the program `packed` every coordinate of the batch is a document of a length of its own, so each has its own outputs and states: they have the batch axis. What is the same for all sequences is so only where all have one length.",
    wrong: { model: "output seen[t] = pos(t) + 1", packed: true },
    mended: { model: "output seen[b, t] = pos(t) + 1", packed: true },
  },
];
