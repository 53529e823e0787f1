// Installs the packages of package-lock.json when they are absent or older than it. Plain Node, no packages: this is
// what makes `npm start` and `npm test` work on a fresh clone.
import { spawnSync } from "node:child_process";
import { statSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../", import.meta.url));

/** npm writes this file last, so that an interrupted install counts as none. */
const installed = modified("node_modules/.package-lock.json");
const wanted = modified("package-lock.json");

if (installed === undefined || (wanted !== undefined && installed < wanted)) {
  const why = installed === undefined ? "first run" : "package-lock.json is newer than node_modules";
  console.error(`Installing packages with npm ci (${why}) …`);
  const { status } = npm(["ci", "--no-audit", "--no-fund", "--loglevel=error"]);
  if (status !== 0) {
    console.error("npm ci failed. Is the npm registry reachable, and is there disk space (400 MB)?");
    process.exit(status ?? 1);
  }
}

function modified(path) {
  return statSync(root + path, { throwIfNoEntry: false })?.mtimeMs;
}

/** The npm that runs this script, else the one on the PATH. */
function npm(args) {
  const options = { cwd: root, stdio: ["ignore", 2, 2] };
  const self = process.env.npm_execpath;
  return self?.endsWith(".js")
    ? spawnSync(process.execPath, [self, ...args], options)
    : spawnSync("npm", args, { ...options, shell: process.platform === "win32" });
}
