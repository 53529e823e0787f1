import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { KraitError } from "../../runtime/errors.js";
import { listAdapters, requestAdapter, requestDevice, type AdapterName } from "../../src/node/adapters.js";
import { baselineDevice, testAdapter, testDevice } from "../support/adapter.js";

const run = promisify(execFile);

describe("adapters", () => {
  it("there is one, and it computes", async () => {
    const device = await testDevice();
    const { name } = await testAdapter();
    assert.notEqual(name, "null", "tests need an adapter that computes");
    assert.deepEqual(
      await squares(device, 100),
      Uint32Array.from({ length: 100 }, (_, i) => i * i),
    );
  });

  it("a baseline device has WebGPU's default limits", async () => {
    const device = await baselineDevice();
    assert.equal(device.limits.maxStorageBuffersPerShaderStage, 8);
    assert.equal(device.limits.maxComputeWorkgroupStorageSize, 16384);
    assert.equal(device.limits.maxComputeInvocationsPerWorkgroup, 256);
    assert.equal(device.features.has("subgroups"), false);
  });

  it("a device without a bundle has all of the adapter's limits", async () => {
    const { adapter } = await testAdapter();
    const device = await testDevice();
    assert.equal(device.limits.maxStorageBufferBindingSize, adapter.limits.maxStorageBufferBindingSize);
    assert.equal(device.limits.maxComputeWorkgroupStorageSize, adapter.limits.maxComputeWorkgroupStorageSize);
  });

  it("lists a software adapter that came with the packages, and the null backend last", async () => {
    const names = (await listAdapters()).map(({ name }) => name);
    assert.ok(names.includes("software"));
    assert.equal(names.at(-1), "null");
  });

  it("a device lives on when nothing else that it came from is held", async () => {
    const { name } = await testAdapter();
    const device = await (await requestAdapter({ adapter: name })).adapter.requestDevice();
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    for (let i = 0; i < 20; i++) {
      collect();
      await new Promise((resolve) => setTimeout(resolve, 1)); // finalizers run in turns of their own
      assert.deepEqual([...(await squares(device, 4))], [0, 1, 4, 9]);
    }
    device.destroy();
  });

  it("looking for software leaves the environment as it was", async () => {
    const before = { ...process.env };
    await requestAdapter({ adapter: "software" });
    assert.deepEqual({ ...process.env }, before);
  });

  it("the null backend compiles shaders and refuses wrong ones", async () => {
    const device = await requestDevice({ adapter: "null" });
    device.pushErrorScope("validation");
    device.createShaderModule({ code: "fn f() -> u32 { return 1.5f; }" });
    assert.match((await device.popErrorScope())?.message ?? "", /return/);
    device.destroy();
  });

  it("an unknown adapter is refused with the names there are", async () => {
    await assert.rejects(requestAdapter({ adapter: "cuda" as AdapterName }), (error: unknown) => {
      assert.ok(error instanceof KraitError);
      assert.equal(error.code, "R0201");
      assert.match(error.message, /gpu, software, null/);
      return true;
    });
  });

  it("unpacks the software driver once, whole, for processes that start together", async function () {
    if (process.platform !== "linux" || process.arch !== "x64") this.skip();
    const cache = await mkdtemp(join(tmpdir(), "krait-test-"));
    try {
      const program = `
        const { requestDevice } = await import("./src/node/adapters.js");
        const device = await requestDevice({ adapter: "software" });
        console.log(device.adapterInfo.description || "a device");
        device.destroy();`;
      const start = (): Promise<{ stdout: string; stderr: string }> =>
        run(process.execPath, ["--import", "tsx", "--input-type=module", "-e", program], {
          env: { ...process.env, XDG_CACHE_HOME: cache },
        });
      const results = await Promise.all([start(), start()]);
      for (const { stdout } of results) assert.match(stdout, /\S/);
    } finally {
      await rm(cache, { recursive: true, force: true });
    }
  });
});

async function squares(device: GPUDevice, count: number): Promise<Uint32Array> {
  const bytes = count * 4;
  const made = device.createBuffer({ size: bytes, usage: 0x80 | 0x4 });
  const read = device.createBuffer({ size: bytes, usage: 0x1 | 0x8 });
  const pipeline = device.createComputePipeline({
    layout: "auto",
    compute: {
      module: device.createShaderModule({
        code: `@group(0) @binding(0) var<storage, read_write> y: array<u32>;
          @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {
            if (id.x < arrayLength(&y)) { y[id.x] = id.x * id.x; }
          }`,
      }),
    },
  });
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(
    0,
    device.createBindGroup({
      layout: pipeline.getBindGroupLayout(0),
      entries: [{ binding: 0, resource: { buffer: made } }],
    }),
  );
  pass.dispatchWorkgroups(Math.ceil(count / 64));
  pass.end();
  encoder.copyBufferToBuffer(made, 0, read, 0, bytes);
  device.queue.submit([encoder.finish()]);
  await read.mapAsync(1);
  const result = new Uint32Array(read.getMappedRange().slice(0));
  read.unmap();
  return result;
}
