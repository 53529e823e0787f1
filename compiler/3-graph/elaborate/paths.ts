/** Names of tensors and states: `at` scopes joined, `{holes}` filled. */
import type { PathString } from "../../1-parse/ast.js";
import { unknownHole } from "../../diagnostics/codes/params.js";
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

/** The text with every `{name}` replaced by that constant. Unknown names are reported and left as they are. */
export function fillHoles(env: Env, path: PathString): string {
  return path.text.replace(/\{([^{}]*)\}/g, (hole, name: string) => {
    const binding = env.scope.find(name.trim());
    const value = binding?.kind === "value" ? binding.value : undefined;
    if (value?.kind === "constant") return String(value.value);
    if (value?.kind === "poison") return hole;
    const fromFile = env.scope.home.constants.get(name.trim());
    if (fromFile !== undefined) return fromFile.value === undefined ? hole : String(fromFile.value);
    report(env, unknownHole(path.span, name, closest(name, env.scope.valueNames())));
    return hole;
  });
}
