/**
 * Puts a measured tuning file where the package has its own: `node --import tsx scripts/ship-tuning.ts measured.json nvidia-h100`.
 * What is there of that name is replaced, unless --add is given: then what was measured now counts where both have it.
 */
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { merged, readTuning, tuningText, type TuningFile } from "../src/cli/tuning-file.js";

const folder = fileURLToPath(new URL("../tuning/", import.meta.url));

new Command("ship-tuning")
  .argument("<measured.json>", "what krait tune, or the benchmarks' tuning, has written")
  .argument("<name>", "what --tuning shall call it: an adapter, such as nvidia-h100")
  .option("--add", "keep the entries of the file that is there")
  .action((measured: string, name: string, { add = false }: { readonly add?: boolean }) => {
    if (!/^[a-z0-9][a-z0-9-]*$/.test(name)) throw new Error("a name has lower-case letters, digits and '-'");
    const path = `${folder}${name}.json`;
    const before = add && existsSync(path) ? [readTuning(path)] : [];
    const file = sorted(merged([...before, readTuning(measured)]));
    mkdirSync(folder, { recursive: true });
    writeFileSync(path, tuningText(file));
    for (const { vendor, architecture, entries } of file.adapters)
      process.stdout.write(`${path}: ${String(entries.length)} entries for ${vendor} ${architecture}\n`);
  })
  .parse();

/** By target, label and shape, so that what changes between two files is what differs between them. */
function sorted({ adapters, ...file }: TuningFile): TuningFile {
  const key = ({
    target,
    model = "",
    label,
    kernel,
    shape,
  }: TuningFile["adapters"][number]["entries"][number]): string =>
    JSON.stringify([target, model, label, kernel, shape]);
  return {
    ...file,
    adapters: adapters.map((adapter) => ({
      ...adapter,
      entries: adapter.entries.toSorted((p, q) => (key(p) < key(q) ? -1 : 1)),
    })),
  };
}
