/** The prelude's source: Krait functions and rules that every file has. */
import { PRELUDE } from "../../templates/sources.js";
import type { SourceFile } from "../diagnostics/types.js";

export const PRELUDE_PATH = "prelude.krait";

export const preludeSource = (): SourceFile => ({ path: PRELUDE_PATH, text: PRELUDE });
