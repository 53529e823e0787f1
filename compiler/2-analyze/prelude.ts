/** The prelude's source: Krait functions and rules that every file has, shipped beside the compiler. */
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { InternalError } from "../diagnostics/internal-error.js";
import type { SourceFile } from "../diagnostics/types.js";

export const PRELUDE_PATH = "prelude.krait";

/** From dist in a build, and from compiler/2-analyze in the sources. */
const PLACES = ["../templates/prelude.krait", "../../templates/prelude.krait"];

export function preludeSource(): SourceFile {
  for (const place of PLACES) {
    const path = fileURLToPath(new URL(place, import.meta.url));
    if (existsSync(path)) return { path: PRELUDE_PATH, text: readFileSync(path, "utf8") };
  }
  throw new InternalError("analyze", "templates/prelude.krait is missing from this installation");
}
