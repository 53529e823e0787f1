/**
 * Compares two states of Krait by its benchmarks: `npm run bench:compare -- A B`. A and B are two reports, two bundled
 * benchmarks (dist/bench.js of two checkouts), or two commits, which are built in worktrees of their own. What has to run
 * runs in turn, A B A B …, so that a machine that warms up or slows down does so for both.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { formatTable } from "../src/cli/table.js";
import { parseReport, spreadOf, spreadPercent, timeOf, type Report, type Result } from "./report.js";

const HELP = `
Everything after -- goes to the benchmarks. The ratio is A's time by B's: above 1, B is faster. From several rounds, it is
the median of their ratios; "±" is half the range.

Examples:
  $ npm run bench:compare -- before.json after.json
  $ npm run bench:compare -- main HEAD -- --only scan --fast
  $ node dist/bench-compare.js a/dist/bench.js b/dist/bench.js --rounds 5 -- --only "step"
`;

new Command("bench-compare")
  .description("Compares two reports, bundled benchmarks or commits.")
  .argument("<a>")
  .argument("<b>")
  .argument("[options...]", "options of the benchmarks, after --")
  .option("--rounds <n>", "how often each is run", "3")
  .addHelpText("after", HELP)
  .action((a: string, b: string, given: readonly string[], { rounds }: { readonly rounds: string }) => {
    compare(a, b, Number(rounds), given);
  })
  .parse();

function compare(a: string, b: string, rounds: number, given: readonly string[]): void {
  if (a.endsWith(".json") && b.endsWith(".json")) return print([[report(a), report(b)]]);
  const temporary = mkdtempSync(join(tmpdir(), "krait-bench-"));
  const worktrees: string[] = [];
  try {
    const programs = [a, b].map((one) =>
      existsSync(one) ? resolve(one) : bundleOf(one, temporary, worktrees),
    ) as [string, string];
    const pairs = Array.from({ length: rounds }, (_, round) => {
      const [before, after] = programs.map((program, which) => {
        const json = join(temporary, `${String(round)}-${String(which)}.json`);
        const args = [program, ...given, "--json", json];
        const { status } = spawnSync(process.execPath, args, { stdio: ["ignore", "ignore", "inherit"] });
        if (!existsSync(json)) throw new Error(`${program} ended with ${String(status)} and wrote no report`);
        return report(json);
      }) as [Report, Report];
      return [before, after] as const;
    });
    print(pairs);
  } finally {
    for (const tree of worktrees) git("worktree", "remove", "--force", tree);
    rmSync(temporary, { recursive: true, force: true });
  }
}

/** The bundled benchmarks of a commit. Its packages are this checkout's. */
function bundleOf(revision: string, folder: string, worktrees: string[]): string {
  const commit = git("rev-parse", "--verify", `${revision}^{commit}`);
  const tree = join(folder, `${String(worktrees.length)}-${commit.slice(0, 12)}`);
  git("worktree", "add", "--detach", tree, commit);
  worktrees.push(tree);
  const script = join(tree, "scripts", "bench-bundle.mjs");
  if (!existsSync(script))
    throw new Error(`${revision} has no benchmarks of this kind: they came with scripts/bench-bundle.mjs`);
  symlinkSync(join(checkout(), "node_modules"), join(tree, "node_modules"), "dir");
  execFileSync(process.execPath, [script], { cwd: tree, stdio: "inherit" });
  return join(tree, "dist", "bench.js");
}

function git(...args: readonly string[]): string {
  return execFileSync("git", ["-C", checkout(), ...args], { encoding: "utf8" }).trim();
}

/** This file stands in bench/, or bundled in dist/. */
function checkout(): string {
  return fileURLToPath(new URL("../", import.meta.url));
}

function report(path: string): Report {
  return parseReport(JSON.parse(readFileSync(path, "utf8")), path);
}

/** A line for each case that both have: ratios are of the same round. */
function print(pairs: readonly (readonly [Report, Report])[]): void {
  const [first] = pairs;
  if (first === undefined) return;
  for (const [name, { commit, date, device }] of [
    ["A", first[0]],
    ["B", first[1]],
  ] as const)
    console.log(`${name}  ${commit}  ${date}  ${device.name} ${device.driver}`);
  const key = ({ id, robustness }: Result): string => `${id}, robustness ${robustness ? "on" : "off"}`;
  const rows = [...new Set(first[0].results.map(key))].flatMap((name) => {
    const rounds = pairs.flatMap(([before, after]) => {
      const [one, other] = [before, after].map(({ results }) =>
        results.find((result) => key(result) === name),
      );
      return one === undefined || other === undefined ? [] : [[one, other] as const];
    });
    return rounds.length === 0 ? [] : [row(name, rounds)];
  });
  const headings = ["case", "A ms", "B ms", "A / B", "±", "bytes A / B"];
  process.stdout.write(formatTable([headings, ...rows], { right: [1, 2, 3, 4, 5] }));
  for (const { id, message } of pairs.flatMap((pair) => pair.flatMap(({ failures }) => failures)))
    console.error(`FAILED ${id}: ${message}`);
}

function row(name: string, rounds: readonly (readonly [Result, Result])[]): readonly string[] {
  const ratio = spreadOf(rounds.map(([one, other]) => timeOf(one) / timeOf(other)));
  const median = (which: 0 | 1): string =>
    spreadOf(rounds.map((pair) => timeOf(pair[which]))).median.toPrecision(4);
  const bytes = spreadOf(rounds.map(([one, other]) => one.gpuBytes / other.gpuBytes)).median;
  const spread = rounds.length === 1 ? "" : `${spreadPercent(ratio).toFixed(0)}%`;
  return [name, median(0), median(1), ratio.median.toFixed(3), spread, bytes.toFixed(2)];
}
