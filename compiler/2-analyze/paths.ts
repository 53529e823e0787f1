/** Paths of sources: with `/`, wherever the compiler runs. They are names that `loadSource` understands, no more. */

/** What `use … from "path"` in `file` names: `path` beside `file`, with `.` and `..` worked out. */
export function besideFile(file: string, path: string): string {
  const absolute = file.startsWith("/");
  const parts: string[] = [];
  for (const part of [...file.split("/").slice(0, -1), ...path.split("/")]) {
    if (part === "" || part === ".") continue;
    if (part !== "..") parts.push(part);
    else if (parts.length > 0 && parts.at(-1) !== "..") parts.pop();
    else if (!absolute) parts.push("..");
  }
  const joined = parts.join("/");
  return absolute ? `/${joined}` : joined === "" ? "." : joined;
}
