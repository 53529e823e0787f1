/** For snapshot.test.ts, in a process of its own: restores a saved session and prints what the rest of its inputs give. */
import { readFileSync } from "node:fs";
import { open } from "../../runtime/model.js";
import { parseSnapshot } from "../../runtime/snapshot-format.js";
import { requestDevice } from "../../src/node/adapters.js";
import { cut, tinyBundle, tinyInputs } from "./tiny-bundle.js";
import { weights } from "./tiny-runs.js";

const [file = "", ...numbers] = process.argv.slice(2);
const [batch = 0, half = 0, steps = 0] = numbers.map(Number);
const bundle = await tinyBundle();
const adapter = process.env["KRAIT_ADAPTER"];
const device = await requestDevice({
  bundle,
  ...(adapter === "gpu" || adapter === "software" ? { adapter } : {}),
});
const model = await open(bundle, { device, weights });
const session = await model.session({ batch });
await session.restore(await parseSnapshot(new Uint8Array(readFileSync(file))));
const { x, token } = cut(tinyInputs(batch, steps), batch, half, steps);
const { y } = await session.prefill({ x, token }, { outputs: "all" });
process.stdout.write(JSON.stringify([...(y?.data ?? [])]));
device.destroy();
