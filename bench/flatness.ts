/** Time a token over lengths of a sequence: it is to be the same at all of them. */
import { formatTable } from "../src/cli/table.js";
import { digits, timeOf, type Result } from "./report.js";

/** From here on a sequence is long enough that nothing but its length should count. */
const LONG = 2 ** 13;

/** A line for each length, and what is the largest of the smallest; empty where no result is of a stream. */
export function flatnessTable(results: readonly Result[]): string {
  const streams = results.filter(({ group }) => group === "long").sort((p, q) => p.steps - q.steps);
  if (streams.length === 0) return "";
  const ways = [
    ["a token", (result: Result) => timeOf(result)],
    ["not read back", (result: Result) => result.wallQuiet?.median ?? NaN],
  ] as const;
  const perToken = ([, msOf]: (typeof ways)[number], result: Result): number =>
    (1e3 * msOf(result)) / (result.batch * result.steps);
  const least = ways.map((way) => Math.min(...streams.map((result) => perToken(way, result))));
  const rows = streams.map((result) => [
    ...[String(result.steps), result.robustness ? "on" : "off", digits(timeOf(result))],
    ...ways.flatMap((way, k) => {
      const time = perToken(way, result);
      return [digits(time), (time / (least[k] ?? NaN)).toFixed(3)];
    }),
    (result.gpuBytes / 2 ** 20).toFixed(0),
  ]);
  const headings = [
    "tokens",
    "rob.",
    "ms",
    ...ways.flatMap(([name]) => [`µs ${name}`, "× least"]),
    "GPU MiB",
  ];
  const long = streams.filter(({ steps }) => steps >= LONG);
  const largest = ways.map((way) => {
    const times = long.map((result) => perToken(way, result));
    return `${way[0]} ${(Math.max(...times) / Math.min(...times)).toFixed(3)}`;
  });
  const summary =
    long.length < 2 ? "" : `largest of least from ${String(LONG)} tokens: ${largest.join(", ")}\n`;
  return `${formatTable([headings, ...rows], { right: [0, 2, 3, 4, 5, 6, 7] })}${summary}`;
}
