/** The page: reads the form, shows what happens. */
import { familySource } from "krait";
import { compileModel, generate, openModel, type Step } from "./model.js";

const form = element("form", HTMLFormElement);
const log = element("#log", HTMLPreElement);
const tokens = element("output", HTMLOutputElement);
const button = element("button", HTMLButtonElement);

form.addEventListener("submit", (event) => {
  event.preventDefault();
  void attempt(run);
});
await attempt(start);

/** The family of the checkpoint that the form names, as the source to begin with. */
async function start(): Promise<void> {
  const { model_type: family } = await configOf(field("checkpoint"));
  const source = familySource(String(family));
  if (source === undefined) throw new Error(`No model of the family "${String(family)}" comes with Krait.`);
  element("textarea", HTMLTextAreaElement).value = source.text;
}

async function run(): Promise<void> {
  const folder = field("checkpoint");
  const prompt = field("prompt")
    .split(/[\s,]+/)
    .filter(Boolean)
    .map(Number);

  let started = performance.now();
  const bundle = compileModel(field("source"), await configOf(folder));
  const shaders = bundle.manifest.targets[0]?.shaders.length ?? 0;
  say(`compiled in ${since(started)} to ${String(shaders)} kernels`);

  started = performance.now();
  const { model, device } = await openModel(bundle, folder);
  const { vendor, architecture, description } = device.adapterInfo;
  say(`opened in ${since(started)} on ${[vendor, architecture, description].filter(Boolean).join(" ")}`);

  const steps: Step[] = [];
  for await (const step of generate(model, prompt, Number(field("count")))) {
    steps.push(step);
    tokens.value = steps.map(({ token }) => token).join(" ");
  }
  report(prompt.length, steps);
  device.destroy();
}

function report(prompt: number, [first, ...rest]: readonly Step[]): void {
  if (first === undefined) return;
  say(`prefill: ${String(prompt)} tokens in ${first.milliseconds.toFixed(1)} ms`);
  if (rest.length > 0) {
    const each = rest.reduce((sum, { milliseconds }) => sum + milliseconds, 0) / rest.length;
    say(`step: ${each.toFixed(2)} ms a token, ${(1000 / each).toFixed(1)} tokens a second`);
  }
  const { data, shape } = rest.at(-1)?.logits ?? first.logits;
  const best = Array.from(data, (score, token) => ({ score, token })).sort((a, b) => b.score - a.score);
  const shown = best.slice(0, 5).map(({ score, token }) => `${String(token)}: ${score.toFixed(3)}`);
  say(`logits [${shape.join(", ")}] of the last token, the best: ${shown.join("  ")}`);
}

/** Mistakes in the source (diagnostics), in what was asked for, of the network or the GPU: all have a text for people. */
async function attempt(action: () => Promise<void>): Promise<void> {
  button.disabled = true;
  log.replaceChildren();
  tokens.value = "";
  try {
    await action();
  } catch (error) {
    say(error instanceof Error ? error.message : String(error), "error");
  } finally {
    button.disabled = false;
  }
}

async function configOf(folder: string): Promise<Record<string, unknown>> {
  const response = await fetch(`${folder}/config.json`);
  if (!response.ok)
    throw new Error(`${folder}/config.json: ${String(response.status)} ${response.statusText}`);
  return (await response.json()) as Record<string, unknown>;
}

function say(text: string, kind = ""): void {
  const line = document.createElement("div");
  line.className = kind;
  line.textContent = text;
  log.append(line);
}

/** A text of the form, with line ends as Krait counts them. */
function field(name: string): string {
  const value = new FormData(form).get(name);
  return typeof value === "string" ? value.replaceAll("\r\n", "\n").trimEnd() : "";
}

const since = (started: number): string => `${String(Math.round(performance.now() - started))} ms`;

function element<T extends Element>(selector: string, type: new () => T): T {
  const found = document.querySelector(selector);
  if (!(found instanceof type)) throw new Error(`the page has no ${selector}`);
  return found;
}
