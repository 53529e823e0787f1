import assert from "node:assert/strict";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { blobFile, bytesFile, readRange, urlFile, type RandomAccess } from "../../runtime/random-access.js";
import { assertRejects } from "./errors.js";

const bytes = Uint8Array.from({ length: 1000 }, (_, i) => (i * 7) % 256);

describe("files read by ranges", () => {
  let server: Server;
  let url: string;
  before(async () => {
    server = createServer((request, response) => {
      const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "");
      if (request.url === "/none") response.writeHead(404).end();
      else if (request.url === "/whole" || range === null) response.end(bytes);
      else {
        const [begin, end] = [Number(range[1]), Number(range[2])];
        const total = request.url === "/unsized" ? "*" : String(bytes.length);
        response.writeHead(206, { "content-range": `bytes ${String(begin)}-${String(end)}/${total}` });
        response.end(bytes.subarray(begin, end + 1));
      }
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    url = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
  });
  after(() => {
    server.closeAllConnections();
    server.close();
  });

  const kinds: [string, () => RandomAccess | Promise<RandomAccess>][] = [
    ["in memory", () => bytesFile("x", bytes)],
    ["in a Blob", () => blobFile("x", new Blob([bytes]))],
    ["on a server", () => urlFile(`${url}/file`)],
  ];
  for (const [kind, make] of kinds) {
    it(`give the bytes asked for: ${kind}`, async () => {
      const file = await make();
      assert.equal(file.size, bytes.length);
      for (const [begin, length] of [
        [0, 1],
        [0, 1000],
        [993, 7],
        [10, 300],
      ] as const) {
        assert.deepEqual(await readRange(file, begin, length), bytes.slice(begin, begin + length));
      }
    });
  }

  it("need a server that answers range requests", async () => {
    await assertRejects(urlFile(`${url}/whole`), "R0305", /does not answer range requests/);
    await assertRejects(urlFile(`${url}/unsized`), "R0305", /does not say how long/);
    await assertRejects(urlFile(`${url}/none`), "R0305", /404/);
    await assertRejects(urlFile("http://127.0.0.1:1/x"), "R0305", /cannot be read/);
  });
});
