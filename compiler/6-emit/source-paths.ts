/**
 * Where a bundle keeps its sources: in the folders that they stand in, seen from the innermost folder that holds them all. So
 * each has a path of its own, `use` finds the same file there as here, and nothing is told of the machine above that folder.
 * A folder above the working one, whose name a relative path does not say, is called `_`.
 */
export function sourcePaths(paths: readonly string[]): readonly string[] {
  const split = paths.map((path) => path.replaceAll("\\", "/").split("/"));
  const ups = split.map((parts) => parts.findIndex((part) => part !== ".."));
  const most = Math.max(0, ...ups);
  const placed = split.map((parts, i) => {
    const up = ups[i] ?? 0;
    return [...Array.from({ length: most - up }, () => "_"), ...parts.slice(up)];
  });
  const shared = sharedFolders(placed);
  return placed.map((parts) => parts.slice(shared).map(fit).join("/"));
}

/** How many folders all paths begin with. */
function sharedFolders(paths: readonly (readonly string[])[]): number {
  const [first = []] = paths;
  const differs = first.findIndex((part, k) =>
    paths.some((parts) => parts[k] !== part || k === parts.length - 1),
  );
  return Math.max(0, differs);
}

/** What may stand between two `/` of a bundle's path. */
const fit = (part: string): string =>
  part === "" || part === "." || part === ".." ? "_" : part.replace(/[:\0]/g, "_");
