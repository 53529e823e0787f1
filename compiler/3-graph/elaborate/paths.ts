/** Names of tensors and states: `at` scopes joined, `{holes}` filled. */
import type { PathString } from "../../1-parse/ast.js";
import { pathTooLong, unknownHole } from "../../diagnostics/codes/params.js";
import { closest } from "../../diagnostics/suggest.js";
import { report, type Env } from "./env.js";

/** A path inside another; one that starts with `/` stands alone. */
export function joinPath(outer: string, inner: string): string {
  if (inner.startsWith("/")) return inner.slice(1);
  return outer === "" || inner === "" ? outer + inner : `${outer}.${inner}`;
}

/** A path inside another where callers see it: an absolute one too is inside its call site. */
export function joinCallPath(outer: string, inner: string): string {
  return joinPath(outer, inner.startsWith("/") ? inner.slice(1) : inner);
}

/** Longer ones than any checkpoint has. */
const LONGEST_PATH = 4096;

const HOLE = /\{([^{}]*)\}/g;

/** The names in braces. */
export function holesOf(path: PathString): readonly string[] {
  return [...path.text.matchAll(HOLE)].map(([, name = ""]) => name.trim());
}

/** Whether a name in braces is a constant here, or what is in error. */
export function isConstantName(env: Env, name: string): boolean {
  const binding = env.scope.find(name);
  if (binding?.kind === "value" && binding.value.kind !== "tensor") return true;
  return env.scope.home.constants.has(name);
}

/** The text with every `{name}` replaced by that constant, or by what `places` has. Unknown names are reported and left as they are. */
export function fillHoles(
  env: Env,
  path: PathString,
  places: ReadonlyMap<string, string> = new Map(),
): string {
  let length = path.text.length;
  const filled = path.text.replace(HOLE, (hole, name: string) => {
    if (length > LONGEST_PATH) return "";
    const text = fillHole(env, path, hole, name, places);
    length += text.length;
    return text;
  });
  if (length <= LONGEST_PATH) return filled;
  report(env, pathTooLong(path.span, LONGEST_PATH));
  return "";
}

function fillHole(
  env: Env,
  path: PathString,
  hole: string,
  name: string,
  places: ReadonlyMap<string, string>,
): string {
  const place = places.get(name.trim());
  if (place !== undefined) return place;
  const binding = env.scope.find(name.trim());
  const value = binding?.kind === "value" ? binding.value : undefined;
  if (value?.kind === "constant") return String(value.value);
  if (value?.kind === "poison") return hole;
  const fromFile = env.scope.home.constants.get(name.trim());
  if (fromFile !== undefined) return fromFile.value === undefined ? hole : String(fromFile.value);
  report(env, unknownHole(path.span, name, closest(name, env.scope.valueNames())));
  return hole;
}
