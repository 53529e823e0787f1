import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import type { Explanation } from "../../compiler/explain/index.js";
import { krait, kraitOk, temporaryFolder } from "../support/cli.js";

const MODEL = `const width = 32
axis b: batch, t: time
axis m = width
model smooth {
  input x: f32[b, t, m]
  param a[m]
  state h[m]
  h = exp(a) * prev(h) + x
  output y[b, t, m] = h
}
`;

describe("krait explain", () => {
  const at = temporaryFolder();
  const model = (): string => {
    writeFileSync(at("smooth.krait"), MODEL);
    return at("smooth.krait");
  };

  it("explains a source", async () => {
    const { out } = await kraitOk("explain", model(), "--size", "b=2,t=300");
    assert.match(out, /^model smooth, prefill of b=2, t=300, target baseline\n/);
    assert.match(out, /recurrence time-invariant \(smooth\.krait:8\)/);
    assert.match(out, /1\.\d\d × the least/);
  });

  it("explains a bundle as it does its source", async () => {
    await kraitOk("build", model(), "-o", at("smooth.bundle"), "--set", "width=48");
    const fromBundle = await kraitOk("explain", at("smooth.bundle"), "--json");
    const fromSource = await kraitOk("explain", model(), "--set", "width=48", "--json");
    const read = (text: string): Explanation => JSON.parse(text) as Explanation;
    const [left, right] = [read(fromBundle.out), read(fromSource.out)];
    assert.deepEqual(left.bytes, right.bytes);
    assert.ok(left.bytes.read >= 4 * 48 * 2048);
    assert.deepEqual(left.kernelIds, right.kernelIds);
  });

  it("explains one kernel, and knows which there are", async () => {
    const { out } = await kraitOk("explain", model(), "--program", "step", "--json");
    const [id = ""] = (JSON.parse(out) as Explanation).kernelIds;
    const one = await kraitOk("explain", model(), "--program", "step", "--kernel", id);
    assert.ok(one.out.startsWith(id), one.out);
    const missing = await krait("explain", model(), "--kernel", `${id}x`);
    assert.equal(missing.code, 1);
    assert.match(missing.err, /there is no kernel/);
  });

  it("refuses sizes that are no sizes, and axes that the model does not have", async () => {
    const bad = await krait("explain", model(), "--size", "t=0");
    assert.equal(bad.code, 2);
    const unknown = await krait("explain", model(), "--size", "s=4");
    assert.equal(unknown.code, 2);
    assert.match(unknown.err, /b and t, no 's'/);
  });
});
