import { Command } from "commander";
import type { FoundAdapter } from "../node/index.js";
import { type Io, writeJson } from "./io.js";
import { formatTable } from "./table.js";

const HELP = `
'krait run' takes the first that is not 'null', or the one that --adapter or KRAIT_ADAPTER names.

  gpu       a real GPU, through Vulkan, Metal or Direct3D 12
  software  Vulkan on the CPU: the system's, or one that came with the package; slow, right
  null      computes nothing; checks that kernels compile

Examples:
  $ krait adapters
  $ krait adapters --json | jq -r '.[0].name'
`;

export function adaptersCommand(io: Io): Command {
  return new Command("adapters")
    .summary("list the WebGPU adapters of this machine")
    .description("Lists the WebGPU adapters that this machine has.")
    .option("--json", "print the adapters as JSON on standard output")
    .addHelpText("after", HELP)
    .action((options: { readonly json?: boolean }) => adapters(options, io));
}

async function adapters({ json }: { readonly json?: boolean }, io: Io): Promise<void> {
  const { listAdapters } = await import("../node/index.js");
  const found = await listAdapters();
  if (json) return writeJson(io, found.map(describe));
  io.out(formatTable([["adapter", "device"], ...found.map(({ name, description }) => [name, description])]));
}

function describe({ name, description, adapter }: FoundAdapter): unknown {
  const { vendor, architecture, device } = adapter.info;
  const limits: Record<string, number> = {};
  for (const limit in adapter.limits) {
    const value: unknown = Reflect.get(adapter.limits, limit);
    if (typeof value === "number") limits[limit] = value;
  }
  return { name, description, vendor, architecture, device, features: [...adapter.features].sort(), limits };
}
