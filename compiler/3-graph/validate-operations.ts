/** For every operation: what its operands must be, and the type that it then has. */
import type { Axis, AxisId, MapFn, Node, NodeId, ScalarType, TensorType } from "./types.js";
import type { Validation } from "./validate-context.js";

/** Throws unless the operation is well typed; gives its type, its axes in any order. */
export function checkOperation(node: Node, validation: Validation): TensorType {
  const { graph, axis, state, fail } = validation;
  const what = node;
  const typeOf = (id: NodeId): TensorType => validation.node(id, what).type;
  switch (node.kind) {
    case "scalar":
      if (Number.isNaN(node.value)) fail(what, "is not a number");
      return { scalar: "f32", axes: [] };
    case "input": {
      const input = graph.inputs.find((i) => i.name === node.name) ?? fail(what, `no input ${node.name}`);
      return { scalar: input.scalar, axes: input.axes };
    }
    case "param": {
      const param = graph.params[node.param] ?? fail(what, `no param #${node.param}`);
      return { scalar: param.scalar, axes: param.layout.flatMap((slot) => slot.axis ?? []) };
    }
    case "coordinate":
      axis(node.axis, what);
      return { scalar: "index", axes: [node.axis] };
    case "map": {
      const types = node.args.map(typeOf);
      const scalars = types.map(({ scalar }) => scalar);
      return {
        scalar: mapScalar(node.fn, scalars, (detail) => fail(what, detail)),
        axes: jointAxes(types),
      };
    }
    case "reduce": {
      const arg = typeOf(node.arg);
      if (node.over.length === 0) fail(what, "reduces over nothing");
      for (const a of node.over) needAxis(validation, what, node.arg, a);
      if (isNoNumber(arg.scalar)) fail(what, `of ${arg.scalar}`);
      if (node.fn !== "sum" && arg.scalar === "c64") fail(what, `${node.fn} of complex numbers`);
      const where = node.where === undefined ? undefined : typeOf(node.where);
      if (where !== undefined && where.scalar !== "bool") fail(what, "its mask is not a truth");
      return {
        scalar: arg.scalar,
        axes: [...arg.axes, ...(where?.axes ?? [])].filter((a) => !node.over.includes(a)),
      };
    }
    case "dot": {
      const [lhs, rhs] = [typeOf(node.lhs), typeOf(node.rhs)];
      const axes = [...lhs.axes, ...rhs.axes];
      if (node.over.length === 0) fail(what, "contracts nothing");
      for (const a of node.over) if (!axes.includes(a)) fail(what, `neither side has axis ${a}`);
      return {
        scalar: productScalar(lhs.scalar, rhs.scalar, (detail) => fail(what, detail)),
        axes: axes.filter((a) => !node.over.includes(a)),
      };
    }
    case "gather": {
      const [table, index] = [typeOf(node.table), typeOf(node.index)];
      needAxis(validation, what, node.table, node.axis);
      if (index.scalar !== "index") fail(what, `its index is ${index.scalar}`);
      return {
        scalar: table.scalar,
        axes: [...table.axes.filter((a) => a !== node.axis), ...index.axes],
      };
    }
    case "conv": {
      const [x, w] = [typeOf(node.x), typeOf(node.w)];
      needAxis(validation, what, node.x, node.along);
      needAxis(validation, what, node.w, node.over);
      if (axis(node.along, what).role !== "time") fail(what, `goes along ${node.along}, which is not time`);
      if (typeof axis(node.over, what).size !== "number") fail(what, `${node.over} has a run-time size`);
      if (x.axes.includes(node.over)) fail(what, `x has the taps ${node.over}`);
      // In a packed program each document may have weights of its own.
      if (node.steps === undefined && w.axes.includes(node.along))
        fail(what, `w has the time axis ${node.along}`);
      needSteps(validation, what, node.steps, node.along);
      return {
        scalar: productScalar(x.scalar, w.scalar, (detail) => fail(what, detail)),
        axes: [...x.axes, ...w.axes].filter((a) => a !== node.over),
      };
    }
    case "rename": {
      const arg = typeOf(node.arg);
      for (const { from, to } of node.axes) {
        needAxis(validation, what, node.arg, from);
        axis(to, what);
        if (!validation.sameSize(from, to)) fail(what, `${from} and ${to} differ in size`);
      }
      const to = new Map(node.axes.map((pair) => [pair.from, pair.to]));
      needFresh(validation, what, node.arg, [...to.keys()], [...to.values()]);
      return { scalar: arg.scalar, axes: arg.axes.map((a) => to.get(a) ?? a) };
    }
    case "slice": {
      const arg = typeOf(node.arg);
      needAxis(validation, what, node.arg, node.axis);
      const size = numeric(axis(node.axis, what));
      const taken = node.to.reduce((product, a) => product * numeric(axis(a, what)), 1);
      if (!(Number.isInteger(node.start) && node.start >= 0 && node.start + taken <= size))
        fail(what, `takes ${node.start}..${node.start + taken} of ${size}`);
      needFresh(validation, what, node.arg, [node.axis], node.to);
      return { scalar: arg.scalar, axes: [...arg.axes.filter((a) => a !== node.axis), ...node.to] };
    }
    case "concat": {
      const parts = axis(node.axis, what).parts ?? fail(what, `${node.axis} has no parts`);
      if (parts.length !== node.parts.length) fail(what, `${node.parts.length} parts of ${parts.length}`);
      const types = node.parts.map(typeOf);
      types.forEach(({ axes }) => {
        if (axes.includes(node.axis)) fail(what, `a part has the axis ${node.axis} itself`);
      });
      return {
        scalar: types
          .map(({ scalar }) => scalar)
          .reduce((p, q) => sumScalar(p, q, (detail) => fail(what, detail))),
        axes: [
          ...types.flatMap(({ axes }, k) => axes.filter((a) => parts[k]?.axes.includes(a) !== true)),
          node.axis,
        ],
      };
    }
    case "flip":
      needAxis(validation, what, node.arg, node.axis);
      needSteps(validation, what, node.steps, node.axis);
      return typeOf(node.arg);
    case "window": {
      const arg = typeOf(node.arg);
      needAxis(validation, what, node.arg, node.from);
      for (const a of [node.from, node.to])
        if (typeof axis(a, what).size !== "object") fail(what, `${a} is no run-time axis`);
      needFresh(validation, what, node.arg, [node.from], [node.to]);
      return { scalar: arg.scalar, axes: arg.axes.map((a) => (a === node.from ? node.to : a)) };
    }
    case "chunk":
    case "unchunk": {
      const { of, chunks, steps } = node;
      const { cut } = axis(chunks, what);
      if (cut?.part !== "chunks" || cut.of !== of || cut.steps !== steps)
        fail(what, `${chunks} and ${steps} do not cut ${of}`);
      const arg = typeOf(node.arg);
      const [gone, come] = node.kind === "chunk" ? [[of], [chunks, steps]] : [[chunks, steps], [of]];
      if (node.kind === "unchunk") for (const a of gone) needAxis(validation, what, node.arg, a);
      needFresh(validation, what, node.arg, gone, come);
      if (node.kind === "chunk" && node.past !== undefined && arg.scalar !== "f32")
        fail(what, `${arg.scalar} past the end`);
      needSteps(validation, what, node.chunkTable, chunks);
      if (node.kind === "unchunk") {
        needSteps(validation, what, node.stepTable, of);
        if ((node.stepTable === undefined) !== (node.chunkTable === undefined))
          fail(what, "has one table of two");
      }
      return { scalar: arg.scalar, axes: [...arg.axes.filter((a) => !gone.includes(a)), ...come] };
    }
    case "prev":
    case "continuous":
    case "coefficient": {
      const owner = state(node.state, what);
      if (owner.kind === "history" && node.kind === "prev") fail(what, "reads a convolution's history");
      if (node.kind === "prev") needSteps(validation, what, node.steps, owner.along);
      return { scalar: owner.scalar, axes: [...owner.axes, owner.along] };
    }
  }
}

/** The axes of all: the very list of one that has those of the others, as most have. */
function jointAxes(types: readonly TensorType[]): readonly AxisId[] {
  let widest: readonly AxisId[] = [];
  for (const { axes } of types) if (axes.length > widest.length) widest = axes;
  const isWhole = types.every(({ axes }) => axes === widest || axes.every((axis) => widest.includes(axis)));
  return isWhole ? widest : types.flatMap(({ axes }) => axes);
}

function needAxis(validation: Validation, what: Node, id: NodeId, axis: AxisId): void {
  validation.axis(axis, what);
  if (!validation.node(id, what).type.axes.includes(axis))
    validation.fail(what, `%${id} has no axis ${axis}`);
}

function needFresh(
  validation: Validation,
  what: Node,
  id: NodeId,
  gone: readonly AxisId[],
  come: readonly AxisId[],
): void {
  const kept = validation.node(id, what).type.axes.filter((a) => !gone.includes(a));
  if (new Set([...kept, ...come]).size !== kept.length + come.length)
    validation.fail(what, `an axis would be there twice`);
}

function needSteps(validation: Validation, what: Node, id: NodeId | undefined, time: AxisId): void {
  if (id === undefined) return;
  const { scalar, axes } = validation.node(id, what).type;
  if (scalar !== "index" || axes.length !== 2 || axes[0] !== time)
    validation.fail(what, `%${id} does not say where the steps of ${time} stand`);
}

function numeric({ size }: Axis): number {
  return typeof size === "number" ? size : NaN;
}

type Fail = (detail: string) => never;

/** Arguments a function takes and what kinds of numbers: `real` f32 or index, `any` also complex, `truth` bool, `angle` angles. */
const SIGNATURES: {
  readonly [F in MapFn]: { readonly args: number; readonly of: keyof typeof KINDS };
} = {
  add: { args: 2, of: "any" },
  sub: { args: 2, of: "any" },
  mul: { args: 2, of: "any" },
  div: { args: 2, of: "any" },
  mod: { args: 2, of: "real" },
  pow: { args: 2, of: "any" },
  min: { args: 2, of: "real" },
  max: { args: 2, of: "real" },
  neg: { args: 1, of: "any" },
  abs: { args: 1, of: "any" },
  sign: { args: 1, of: "real" },
  floor: { args: 1, of: "real" },
  ceil: { args: 1, of: "real" },
  round: { args: 1, of: "real" },
  sqrt: { args: 1, of: "any" },
  rsqrt: { args: 1, of: "any" },
  recip: { args: 1, of: "any" },
  exp: { args: 1, of: "any" },
  exp2: { args: 1, of: "any" },
  expm1: { args: 1, of: "any" },
  log: { args: 1, of: "any" },
  log1p: { args: 1, of: "any" },
  sin: { args: 1, of: "any" },
  cos: { args: 1, of: "any" },
  tanh: { args: 1, of: "any" },
  erf: { args: 1, of: "real" },
  phi: { args: 1, of: "any" },
  eq: { args: 2, of: "free" },
  ne: { args: 2, of: "free" },
  lt: { args: 2, of: "real" },
  le: { args: 2, of: "real" },
  gt: { args: 2, of: "real" },
  ge: { args: 2, of: "real" },
  and: { args: 2, of: "truth" },
  or: { args: 2, of: "truth" },
  not: { args: 1, of: "truth" },
  select: { args: 3, of: "free" },
  complex: { args: 2, of: "real" },
  re: { args: 1, of: "any" },
  im: { args: 1, of: "any" },
  conj: { args: 1, of: "any" },
  polar: { args: 1, of: "any" },
  float: { args: 1, of: "free" },
  angle: { args: 1, of: "real" },
  turn: { args: 2, of: "angle" },
  radians: { args: 1, of: "angle" },
};

const KINDS: { readonly [K in "real" | "any" | "truth" | "free" | "angle"]: readonly ScalarType[] } = {
  real: ["f32", "index"],
  any: ["f32", "index", "c64"],
  truth: ["bool"],
  free: ["f32", "index", "c64", "bool"],
  angle: ["angle"],
};

/** Functions of whole numbers that give a whole number. */
const WHOLE: ReadonlySet<MapFn> = new Set(["add", "sub", "mul", "mod", "min", "max"]);

function mapScalar(fn: MapFn, args: readonly ScalarType[], fail: Fail): ScalarType {
  const signature = SIGNATURES[fn];
  if (args.length !== signature.args) return fail(`${fn} of ${args.length} arguments`);
  const wrong = args.find((scalar) => !KINDS[signature.of].includes(scalar));
  if (wrong !== undefined) return fail(`${fn} of ${wrong}`);
  switch (fn) {
    case "eq":
    case "ne":
    case "lt":
    case "le":
    case "gt":
    case "ge":
    case "and":
    case "or":
    case "not":
      if ((fn === "eq" || fn === "ne") && args.includes("bool") && args[0] !== args[1])
        return fail(`${fn} of ${args.join(" and ")}`);
      return "bool";
    case "re":
    case "im":
    case "abs":
      return "f32";
    case "float":
      return args[0] === "c64" ? fail("float of a complex number") : "f32";
    case "complex":
      return "c64";
    case "angle":
    case "turn":
      return "angle";
    case "radians":
      return "f32";
    case "select": {
      const [condition, ifTrue = "f32", ifFalse = "f32"] = args;
      if (condition !== "bool") return fail(`select on ${condition ?? "nothing"}`);
      return sumScalar(ifTrue, ifFalse, fail);
    }
    default:
      if (args.includes("c64")) return "c64";
      return WHOLE.has(fn) && args.every((scalar) => scalar === "index") ? "index" : "f32";
  }
}

const isNoNumber = (scalar: ScalarType): boolean => scalar === "bool" || scalar === "angle";

/** Either of the two: complex wins, truths and angles stay among themselves. */
function sumScalar(p: ScalarType, q: ScalarType, fail: Fail): ScalarType {
  if (p === q) return p;
  if ([p, q].some(isNoNumber)) return fail(`${p} beside ${q}`);
  return p === "c64" || q === "c64" ? "c64" : "f32";
}

function productScalar(p: ScalarType, q: ScalarType, fail: Fail): ScalarType {
  if ([p, q].some(isNoNumber)) return fail(`a product of ${p} and ${q}`);
  return sumScalar(p, q, fail);
}
