/** Elementwise functions on values that may be complex, as expressions on their parts. */
import { InternalError } from "../../diagnostics/internal-error.js";
import type { MapFn } from "../../3-graph/types.js";
import type { ExprBuilder } from "../expr.js";
import type { Expr, ExprOp } from "../types.js";
import { angleOf, radians, turn } from "./angles.js";
import { complexFunction } from "./complex-functions.js";
import type { Value } from "./scope.js";

const PLAIN: Partial<Record<MapFn, ExprOp>> = {
  add: "add",
  sub: "sub",
  mul: "mul",
  div: "div",
  mod: "mod",
  pow: "pow",
  min: "min",
  max: "max",
  neg: "neg",
  abs: "abs",
  sign: "sign",
  floor: "floor",
  ceil: "ceil",
  round: "round",
  sqrt: "sqrt",
  rsqrt: "rsqrt",
  recip: "recip",
  exp: "exp",
  exp2: "exp2",
  expm1: "expm1",
  log: "log",
  log1p: "log1p",
  sin: "sin",
  cos: "cos",
  tanh: "tanh",
  erf: "erf",
  phi: "phi",
  eq: "eq",
  ne: "ne",
  lt: "lt",
  le: "le",
  gt: "gt",
  ge: "ge",
  and: "and",
  or: "or",
  not: "not",
};

/** fn(args) on scalars. Whole numbers that meet a signed one become signed. */
export function applyMap(e: ExprBuilder, fn: MapFn, args: readonly Value[]): Value {
  const [x, y, z] = args;
  if (x === undefined) throw new InternalError("lower", `${fn} without arguments`);
  if (fn === "complex" && y !== undefined) return { re: real(e, x), im: real(e, y) };
  if (fn === "re") return { re: x.re };
  if (fn === "im") return { re: x.im ?? e.f32(0) };
  if (fn === "float") return { re: asFloat(e, x.re) };
  if (fn === "angle") return angleOf(e, real(e, x));
  if (fn === "turn" && y !== undefined) return turn(e, x, y);
  if (fn === "radians") return { re: radians(e, x) };
  if (fn === "select" && y !== undefined && z !== undefined) return selectValue(e, x.re, y, z);
  if (args.some((arg) => arg.im !== undefined)) return applyComplex(e, fn, x, y);
  if (fn === "conj") return x;
  const op = PLAIN[fn];
  if (op === undefined) throw new InternalError("lower", `no operation for ${fn}`);
  return {
    re: e.op(
      op,
      ...common(
        e,
        op,
        args.map((arg) => arg.re),
      ),
    ),
  };
}

const asFloat = (e: ExprBuilder, x: Expr): Expr =>
  x.type === "f32" ? x : x.type === "bool" ? e.select(x, e.f32(1), e.f32(0)) : e.op("f32", x);
const real = (e: ExprBuilder, x: Value): Expr => asFloat(e, x.re);

export function selectValue(e: ExprBuilder, condition: Expr, yes: Value, no: Value): Value {
  const [p, q] = common(e, "add", [yes.re, no.re]);
  if (p === undefined || q === undefined) throw new InternalError("lower", "select needs two values");
  const re = e.select(condition, p, q);
  if (yes.im === undefined && no.im === undefined) return { re };
  return { re, im: e.select(condition, yes.im ?? e.f32(0), no.im ?? e.f32(0)) };
}

/** Brings operands to one type: f32 wins; of whole numbers a difference, or any signed one, makes all signed. */
function common(e: ExprBuilder, op: ExprOp, args: readonly Expr[]): readonly Expr[] {
  const types = new Set(args.map((arg) => arg.type));
  if (types.has("f32") && types.size > 1) return args.map((arg) => asFloat(e, arg));
  const signed = types.has("i32") || (op === "sub" && types.has("u32"));
  if (signed && !types.has("bool")) return args.map((arg) => (arg.type === "i32" ? arg : e.op("i32", arg)));
  return args;
}

/** The product of two values, either of which may be complex. A real one, and one made complex of it, scales the other's parts. */
export function multiply(e: ExprBuilder, x: Value, y: Value): Value {
  const zero = e.f32(0);
  const re = e.mul(x.re, y.re);
  if (x.im === undefined && y.im === undefined) return { re };
  const [p, q] = [x.im ?? zero, y.im ?? zero];
  if (p === zero) return { re, im: q === zero ? zero : e.mul(x.re, q) };
  if (q === zero) return { re, im: e.mul(p, y.re) };
  return { re: e.sub(re, e.mul(p, q)), im: e.add(e.mul(x.re, q), e.mul(p, y.re)) };
}

function applyComplex(e: ExprBuilder, fn: MapFn, x: Value, y: Value | undefined): Value {
  const zero = e.f32(0);
  const a = x.re;
  const b = x.im ?? zero;
  const c = y?.re ?? zero;
  const d = y?.im ?? zero;
  switch (fn) {
    case "add":
      return { re: e.add(a, c), im: e.add(b, d) };
    case "sub":
      return { re: e.sub(a, c), im: e.sub(b, d) };
    case "neg":
      return { re: e.op("neg", a), im: e.op("neg", b) };
    case "conj":
      return { re: a, im: e.op("neg", b) };
    case "mul":
      return multiply(e, x, y ?? { re: zero });
    case "div":
      if (y?.im === undefined) return { re: e.div(a, c), im: e.div(b, c) };
      break;
    case "eq":
    case "ne": {
      const same = e.op("and", e.op("eq", a, c), e.op("eq", b, d));
      return { re: fn === "eq" ? same : e.op("not", same) };
    }
    default:
      break;
  }
  const value = complexFunction(e, fn, { re: a, im: b }, { re: c, im: d });
  if (value === undefined) throw new InternalError("lower", `${fn} of a complex number`);
  return value;
}
