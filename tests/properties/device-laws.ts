/**
 * Laws of whole models on a device, over random sources: however a sequence is cut, into pieces, steps, sessions or
 * batches, whatever the target and the schedule, the numbers are those of the float64 oracle.
 */
import assert from "node:assert/strict";
import type { Graph } from "../../compiler/3-graph/types.js";
import { interpret, type Interpretation, type Values } from "../../compiler/interpret/index.js";
import { open, type Model, type Outputs, type Session } from "../../runtime/index.js";
import { baselineDevice, testDevice } from "../support/adapter.js";
import { expectClose, rootMeanSquare } from "../support/expect-close.js";
import { f32 } from "../support/model.js";
import { seeded, type Random } from "../support/random.js";
import { storedCheckpoint } from "../support/stored-weights.js";
import { withWholeTurns } from "../support/whole-turns.js";
import { drawNumbers, drawPieces, type Case, type Numbers } from "./cases.js";
import { built } from "./built.js";
import { isWellConditioned } from "./conditioning.js";
import type { Report } from "./report.js";
import { cutInputs, dimensionOf, hostInputs, join, part } from "../support/tensors.js";

/** Of the processor, for all shaders of a model: a driver in software takes a second or two, and 2ⁿ where a shader is badly nested. */
const MOST_SECONDS = 40;

/** One model on the device, and what it should give. */
class Trial {
  readonly random: Random;

  constructor(
    readonly drawn: Case,
    readonly graph: Graph,
    readonly model: Model,
    readonly numbers: Numbers,
    readonly expected: Interpretation,
    readonly report: Report,
  ) {
    this.random = seeded(drawn.seed + 1);
  }

  async session(batch: number, use: (session: Session) => Promise<void>, maxChunk?: number): Promise<void> {
    const session = await this.model.session({ batch, ...(maxChunk !== undefined && { maxChunk }) });
    try {
      await use(session);
    } finally {
      session.destroy();
    }
  }

  /** Steps begin ≤ t < end of some sequences: through `step` if it is one, and chance will have it. */
  async piece(
    session: Session,
    begin: number,
    end: number,
    members?: readonly [number, number],
  ): Promise<Outputs> {
    const { graph, numbers } = this;
    const inTime = cutInputs(graph, numbers.inputs, "t", begin, end);
    const inputs = hostInputs(
      graph,
      members === undefined ? inTime : cutInputs(graph, inTime, "b", ...members),
    );
    const steps = end - begin === 1 && !this.drawn.looksAhead && this.random.integer(0, 4) > 0;
    return steps ? session.step(inputs) : session.prefill(inputs, { outputs: "all" });
  }

  /** Runs pieces of these lengths from step `begin`, and compares outputs and, at the end, states. */
  async pieces(
    session: Session,
    lengths: readonly number[],
    what: string,
    begin = 0,
    members?: readonly [number, number],
  ): Promise<void> {
    const got: Outputs[] = [];
    let at = begin;
    for (const length of lengths) {
      got.push(await this.piece(session, at, at + length, members));
      at += length;
    }
    for (const output of this.graph.outputs) {
      const along = dimensionOf(output, "t");
      const tensors = got.map((outputs) => outputs[output.name] ?? assert.fail(`no output ${output.name}`));
      const want = this.expected.outputs[output.name] ?? assert.fail(`the oracle has no ${output.name}`);
      const inTime = part(want, along, begin, at);
      const wanted = members === undefined ? inTime : part(inTime, dimensionOf(output, "b"), ...members);
      this.close(join(tensors, along), wanted, `${what}: ${output.name}`, want);
    }
    if (at === this.drawn.steps) await this.states(session, what, members);
  }

  async states(session: Session, what: string, members?: readonly [number, number]): Promise<void> {
    const { states } = await session.save();
    const among = (name: string, all: Values): Values =>
      members === undefined ? all : part(all, this.batchOf(name), ...members);
    const turned = withWholeTurns(states, (name) => {
      const want = this.expected.states[name];
      return want && among(name, want).data;
    });
    for (const [name, got] of Object.entries(turned)) {
      const want = this.expected.states[name] ?? assert.fail(`the oracle has no state ${name}`);
      // Complex states end in (re, im), which the oracle's shape does not count.
      const shape = want.scalar === "c64" ? [...want.shape, 2] : want.shape;
      const wanted = { shape, data: want.data };
      this.close(got, among(name, wanted), `${what}: state ${name}`, wanted);
    }
  }

  /** Where a state has its batch: first, unless it is the same for all sequences. */
  private batchOf(state: string): number {
    const { axes = [] } = this.graph.states.find(({ name }) => name === state) ?? {};
    return axes.findIndex((axis) => this.graph.axes.get(axis)?.role === "batch");
  }

  /** A part is held to the size of the whole that it is part of, whose conditioning was looked at. */
  private close(got: Values, want: Values, what: string, whole: Values): void {
    this.report.checks++;
    expectClose({ shape: want.shape, data: got.data }, want, {
      tolerance: "f32",
      what,
      size: rootMeanSquare(whole.data),
    });
  }
}

async function whole(trial: Trial): Promise<void> {
  const { batch, steps } = trial.drawn;
  await trial.session(batch, async (session) => trial.pieces(session, [steps], "one prefill"));
}

async function splits(trial: Trial): Promise<void> {
  const { batch, steps } = trial.drawn;
  for (let k = 0; k < 2; k++) {
    const lengths = drawPieces(trial.random, steps);
    const maxChunk = trial.random.pick([2048, 1, 3, 16]);
    const what = `pieces of ${lengths.join(", ")} steps, at most ${String(maxChunk)} at a time`;
    await trial.session(batch, async (session) => trial.pieces(session, lengths, what), maxChunk);
  }
}

async function members(trial: Trial): Promise<void> {
  const { batch, steps } = trial.drawn;
  const member = trial.random.integer(0, batch);
  await trial.session(1, async (session) =>
    trial.pieces(session, [steps], `sequence ${String(member)} alone`, 0, [member, member + 1]),
  );
}

/** Saved after some steps, led astray, restored here and in a session of its own. */
async function restored(trial: Trial): Promise<void> {
  const { batch, steps } = trial.drawn;
  const saved = trial.random.integer(1, steps);
  await trial.session(batch, async (session) => {
    await trial.pieces(session, [saved], "before saving");
    const snapshot = await session.save();
    await trial.pieces(session, [steps - saved], "after saving", saved);
    await session.restore(snapshot);
    assert.equal(session.pos, saved);
    await trial.pieces(session, [steps - saved], "restored", saved);
    await trial.session(batch, async (other) => {
      await other.restore(snapshot);
      await trial.pieces(other, drawPieces(trial.random, steps - saved), "restored elsewhere", saved);
    });
    await session.reset();
    await trial.pieces(session, [steps], "after a reset");
  });
}

export async function holdsOnDevice(drawn: Case, report: Report): Promise<void> {
  const { bundle, stages } = built(drawn);
  const { graph } = stages;
  const numbers = drawNumbers(graph, drawn);
  const options = { ...numbers, sizes: { b: drawn.batch, t: drawn.steps } };
  const expected = interpret(graph, options);
  const discrete = stages.passes.stages.find(({ name }) => name === "discretize")?.graph ?? graph;
  if (!isWellConditioned(discrete, options, expected, drawn.seed)) {
    report.unfit++;
    return;
  }
  const device = await (drawn.options.targets?.[0] === "baseline" ? baselineDevice() : testDevice());
  const weights = Object.entries(numbers.params).map(
    ([name, { shape, data }]) => [name, { shape, data: f32(data) }] as const,
  );
  const checkpoint = storedCheckpoint(bundle.manifest, Object.fromEntries(weights));
  const before = process.cpuUsage();
  const model = await open(bundle, { device, weights: checkpoint });
  const { user, system } = process.cpuUsage(before);
  const seconds = (user + system) / 1e6;
  report.slowest = Math.max(report.slowest, seconds);
  try {
    assert.ok(seconds <= MOST_SECONDS, `its shaders take ${seconds.toFixed()} s to compile`);
    const trial = new Trial(drawn, graph, model, numbers, expected, report);
    await whole(trial);
    if (drawn.batch > 1) await members(trial);
    if (!drawn.looksAhead && drawn.steps > 1) {
      await splits(trial);
      await restored(trial);
    }
    report.models++;
  } finally {
    model.destroy();
  }
}
