/** Pages for tests: one Chromium and one server for a whole mocha run. */
import type { Browser, Page } from "playwright-core";
import { serve, type Served } from "../../examples/browser/serve.js";
import type { PageFunctions } from "../browser/page.js";
import { atEnd } from "./at-end.js";
import { launchChromium, PATIENCE } from "./chromium.js";

let browser: Promise<Browser> | undefined;
let server: Promise<Served> | undefined;

export interface OpenedPage {
  readonly page: Page;
  /** What went wrong in the page unnoticed: uncaught errors, and what Chromium wrote to the console as errors. */
  readonly complaints: string[];
}

/** A new page, empty or at a path below the package's folder, in a context of its own. */
export async function openPage(path = "/tests/browser/page.html"): Promise<OpenedPage> {
  atEnd(close);
  browser ??= launchChromium();
  server ??= serve(["examples/browser/page.ts", "tests/browser/page.ts", "tests/browser/worker.ts"], 0);
  const { origin } = await server;
  const page = await (await browser).newPage();
  page.setDefaultTimeout(PATIENCE);
  const complaints: string[] = [];
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error") complaints.push(message.text());
  });
  await page.goto(origin + path);
  if (complaints.length > 0)
    throw new Error(`${path} did not load; is dist/ built?\n${complaints.join("\n")}`);
  return { page, complaints };
}

/** Calls a function of tests/browser/page.ts in the page. */
export async function inPage<K extends keyof PageFunctions>(
  page: Page,
  name: K,
  ...args: Parameters<PageFunctions[K]>
): Promise<Awaited<ReturnType<PageFunctions[K]>>> {
  return page.evaluate(
    ([name, args]) => (globalThis as unknown as { krait: CallableByName }).krait[name]?.(...args),
    [name, args as unknown[]] as const,
  ) as Promise<Awaited<ReturnType<PageFunctions[K]>>>;
}

/** As when a driver crashes: every device of the browser is lost, and it starts another GPU process. */
export async function endGpuProcess(page: Page): Promise<void> {
  const session = await page.context().browser()?.newBrowserCDPSession();
  const { processInfo } = (await session?.send("SystemInfo.getProcessInfo")) ?? { processInfo: [] };
  const gpu = processInfo.find(({ type }) => type === "GPU");
  if (gpu === undefined) throw new Error("this Chromium has no GPU process");
  process.kill(gpu.id, "SIGKILL");
}

type CallableByName = Readonly<Record<string, (...args: readonly unknown[]) => unknown>>;

async function close(): Promise<void> {
  const [opened, served] = [browser, server];
  browser = server = undefined;
  await (await opened?.catch(() => undefined))?.close(); // one that did not start has failed its test
  await (await served)?.close();
}
