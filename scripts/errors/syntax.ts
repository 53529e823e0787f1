import type { ErrorExample } from "./example.js";

export const syntax: readonly ErrorExample[] = [
  {
    code: "K0101",
    title: "A character that is no part of the language",
    meaning:
      "Sources are made of ASCII letters, digits, `_` and the operators of the grammar; anything may stand in comments. A Greek letter is written out.",
    wrong: { text: "const β = 0.9\n" },
    mended: { beside: "const beta = 0.9" },
  },
  {
    code: "K0102",
    title: "Another language's spelling",
    meaning: "An operator, comment or quotation mark of another language. The message says what it is here.",
    wrong: { text: "const wide = true && false\n" },
    mended: { beside: "const wide = true and false" },
  },
  {
    code: "K0103",
    title: "A string without its end",
    meaning: "A string begins and ends on one line; there are no escapes.",
    wrong: { text: 'const activation = "silu\n' },
    mended: { beside: 'const activation = "silu"' },
  },
  {
    code: "K0104",
    title: "A malformed number",
    meaning: "A number has digits on both sides of its point, no separators and no suffix.",
    wrong: { text: "const decay = .5\n" },
    mended: { beside: "const decay = 0.5" },
  },
  {
    code: "K0105",
    title: "A number out of range",
    meaning: "Constants are float64, whose largest number is about 1.8e308. Infinity is `inf`.",
    wrong: { text: "const top = 1e999\n" },
    mended: { beside: "const top = inf" },
  },
  {
    code: "K0110",
    title: "Something else was expected",
    meaning:
      "The grammar wants one thing and the source has another. The message says what could stand there.",
    wrong: { text: "const width = 3 * * 2\n" },
    mended: { beside: "const width = 3 * 2" },
  },
  {
    code: "K0111",
    title: "A bracket that is not closed",
    meaning:
      "What a bracket opened ends before its partner comes: an operand or a comma is missing, or the bracket itself. The note shows where it was opened.",
    wrong: { text: "const width = ceil(7 / 2\nconst depth = 2\n" },
    mended: { beside: "const width = ceil(7 / 2)\nconst depth = 2" },
  },
  {
    code: "K0112",
    title: "A bracket that closes nothing",
    meaning: "There is one too many, or the one that opens is missing.",
    wrong: { text: "const width = (3 + 1))\n" },
    mended: { beside: "const width = (3 + 1)" },
  },
  {
    code: "K0113",
    title: "A keyword as a name",
    meaning:
      "Keywords name nothing. `time`, `batch`, `index`, `real` and `complex` are no keywords and may be names.",
    wrong: { text: "const state = 16\n" },
    mended: { beside: "const state_size = 16" },
  },
  {
    code: "K0114",
    title: "`'` after a name that is no axis",
    meaning:
      "A trailing `'` marks a copy of an axis: `m'` has the size of `m` and is another axis. Values and constants have no copies.",
    wrong: { model: "x' = 2 * x" },
    mended: { model: "twice = 2 * x" },
  },
  {
    code: "K0115",
    title: "Two statements on one line",
    meaning:
      "A statement ends where its line ends. What follows belongs on a line of its own, or an operator or a comma is missing before it.",
    wrong: { text: "const a = 1 b = 2\n" },
    mended: { beside: "const a = 1, b = 2" },
  },
  {
    code: "K0116",
    title: "Not the beginning of a statement",
    meaning:
      "A statement begins with a keyword or with the name that it defines. An operator at the start of a line belongs at the end of the line before, where it says that the statement goes on.",
    wrong: { model: "z = x\n  + 1" },
    mended: { model: "z = x +\n  1" },
  },
  {
    code: "K0117",
    title: "A statement where it may not stand",
    meaning:
      "Files have declarations; models have inputs and outputs, blocks and functions `return`; functions have no parameters and no states of their own.",
    wrong: { text: "axis m = 4\nparam w[m]\n" },
    mended: { model: "param w[m]" },
  },
  {
    code: "K0118",
    title: "A chain of comparisons",
    meaning: "A comparison gives a truth, which compares with nothing.",
    wrong: { model: "inside = select(0 < x < 1, 1, 0)" },
    mended: { model: "inside = select(0 < x and x < 1, 1, 0)" },
  },
  {
    code: "K0119",
    title: "A prefix operator that needs parentheses",
    meaning:
      "`not` binds more loosely than the operator before it, so that it can't be its operand as it stands.",
    wrong: { text: "const tied = true, own = true == not tied\n" },
    mended: { beside: "const tied = true, own = true == (not tied)" },
  },
  {
    code: "K0120",
    title: "A rule that defines another name",
    meaning: "A rule says what `der(h) = a*h + b` becomes: its step defines the same `h`.",
    wrong: { text: "rule half(step): der(h) = a*h + b\n  => g = prev(h) + step*b\n" },
    mended: { beside: "rule half(step): der(h) = a*h + b\n  => h = prev(h) + step*b" },
  },
  {
    code: "K0121",
    title: "An unknown kind after `:`",
    meaning:
      "After an axis stands `time` or `batch`, after a parameter or state `real` or `complex`, after an input `f32` or `index(axis)`.",
    wrong: { text: "axis t: tme\n" },
    mended: { beside: "axis s: time" },
  },
  {
    code: "K0122",
    title: "`_` outside of stacked parameters",
    meaning: "`_` is the axis along which several parameters stack in one tensor of the checkpoint.",
    wrong: { model: "state h[m, _]\nh = prev(h) + x" },
    mended: { model: "state h[m]\nh = prev(h) + x" },
  },
  {
    code: "K0123",
    title: "A documentation comment that documents nothing",
    meaning:
      "`##` documents the declaration, constant, axis, parameter, state, input or output on the next line. This is a warning.",
    wrong: { beside: "const width = 3    ## of the model" },
    mended: { beside: "## Of the model.\nconst width = 3" },
  },
  {
    code: "K0124",
    title: "A source that is too long",
    meaning:
      "A source is written by hand, and read whole. Numbers in bulk are parameters; a long model has blocks in files of their own.",
    wrong: {
      text: "# Many lines.\n".repeat(10_000),
      abridged: "# Many lines.\n# Many lines.\n# … and 9998 more",
    },
    mended: { model: "z = x" },
  },
  {
    code: "K0125",
    title: "An expression or a bracket that is nested too deep",
    meaning:
      "The compiler walks what is nested by recursion. Each term of a sum is nested in the next: a long one is several with names, or a `repeat`.",
    wrong: {
      model: `z = x${" +\n  x".repeat(300)}`,
      abridged: `model example {\n  z = x +\n  x +\n  # … and so on, 300 times\n}`,
    },
    mended: { model: "z = x\nrepeat i in 0..300 { z += x }" },
  },
];
