/**
 * Serves this example and the checkpoints of tests/fixtures on this machine: what `npm run browser` does.
 *
 *     node --import tsx examples/browser/serve.ts
 */
import { fileURLToPath, pathToFileURL } from "node:url";
import { context } from "esbuild";

const root = fileURLToPath(new URL("../../", import.meta.url));

export interface Served {
  /** `http://127.0.0.1:8000` */
  readonly origin: string;
  readonly close: () => Promise<void>;
}

/**
 * The folder of the package, with these modules bundled anew, beside themselves, whenever they are asked for. An
 * application's bundler does the same with its own: nothing of Krait needs a plugin or a stand-in for Node.js.
 */
export async function serve(entryPoints: readonly string[], port: number): Promise<Served> {
  const bundler = await context({
    absWorkingDir: root,
    entryPoints: [...entryPoints],
    outdir: root,
    outbase: root,
    bundle: true,
    write: false,
    platform: "browser",
    format: "esm",
    target: "es2022",
    sourcemap: true,
    tsconfigRaw: {}, // `krait` is the built package, not its sources as for the rest of this repository
    logLevel: "warning",
    logOverride: { "ignored-bare-import": "silent" }, // for packages in node_modules it is silent
  });
  // Browsers have WebGPU on pages from this machine, as they do over https.
  const server = await bundler.serve({ servedir: root, host: "127.0.0.1", port });
  return { origin: `http://127.0.0.1:${String(server.port)}`, close: () => bundler.dispose() };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const { origin } = await serve(["examples/browser/page.ts"], 8000);
  console.log(`Open ${origin}/examples/browser/ in a browser with WebGPU. Ctrl-C ends.`);
}
