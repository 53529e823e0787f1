/** examples/browser as a person uses it. */
import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { checkpointFixture, tensorOf } from "../support/fixtures.js";
import { openPage, type OpenedPage } from "../support/web-page.js";

describe("the example of a page", () => {
  let opened: OpenedPage;
  let page: Page;
  before(async () => {
    opened = await openPage("/examples/browser/");
    page = opened.page;
    await page.waitForSelector("button:enabled");
  });
  after(async () => {
    await page.close();
    assert.deepEqual(opened.complaints, []);
  });

  /** What the page says when it is done. */
  async function run(): Promise<string> {
    await page.click("button");
    await page.waitForSelector("button:enabled");
    return page.innerText("#log");
  }

  it("begins with the model of the checkpoint", async () => {
    assert.match(await page.inputValue("textarea"), /^model mamba \{/m);
  });

  it("generates the tokens that PyTorch chose", async () => {
    const greedy = Array.from(tensorOf(checkpointFixture("mamba").expected, "greedy_ids").data);
    await page.fill("[name=prompt]", greedy.slice(0, 8).join(", "));
    await page.fill("[name=count]", String(greedy.length - 8));
    const said = await run();
    assert.equal(await page.innerText("output"), greedy.slice(8).join(" "), said);
    assert.match(said, /^compiled in \d+ ms to \d+ kernels$/m);
    assert.match(said, /^prefill: 8 tokens in [\d.]+ ms$/m);
    assert.match(said, /^step: [\d.]+ ms a token, [\d.]+ tokens a second$/m);
    assert.match(said, /^logits \[1, 1, 97\] of the last token, the best: \d+: -?\d+\.\d{3}  /m);
  });

  it("shows a mistake in the model with its line", async () => {
    const source = await page.inputValue("textarea");
    await page.fill("textarea", source.replace("dot(y, head, over m)", "dot(y, heed, over m)"));
    assert.match(await run(), /error\[K02\d\d\][^]*model\.krait:\d+:\d+[^]*heed/);
    await page.fill("textarea", source);
  });

  it("shows what is wrong with a prompt", async () => {
    await page.fill("[name=prompt]", "16 97");
    assert.match(await run(), /97/);
  });
});
