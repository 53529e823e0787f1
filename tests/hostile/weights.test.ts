/** Weights whose headers and indexes are made to take time, memory or stack: each is refused at once, in a message of a few lines. */
import assert from "node:assert/strict";
import { KraitError, type ErrorCode } from "../../runtime/errors.js";
import { openShardedCheckpoint } from "../../runtime/checkpoint.js";
import { bytesFile, type RandomAccess } from "../../runtime/random-access.js";
import { readSafetensors } from "../../runtime/safetensors.js";
import { within } from "./within.js";

/** As large as a header may be. */
const LONGEST = 100_000_000;

/** A file of `before`, as often `again` as there is room in a header of the largest size, and `after`. */
function filled(before: string, again: string, after = ""): RandomAccess {
  const [head, piece, tail] = [before, again, after].map((text) => Buffer.from(text));
  assert.ok(head !== undefined && piece !== undefined && tail !== undefined);
  const times = Math.floor((LONGEST - head.length - tail.length) / piece.length);
  const length = head.length + times * piece.length + tail.length;
  const bytes = new Uint8Array(8 + length);
  new DataView(bytes.buffer).setUint32(0, length, true);
  bytes.set(head, 8);
  bytes.fill(0x20, 8 + head.length);
  Buffer.from(bytes.buffer).fill(piece, 8 + head.length, 8 + length - tail.length);
  bytes.set(tail, 8 + length - tail.length);
  return bytesFile("hostile.safetensors", bytes);
}

const EMPTY = '{"dtype":"F32","shape":[0],"data_offsets":[0,0]}';
const tensors = (count: number): string =>
  Array.from({ length: count }, (_, i) => `"layers.${String(i)}":${EMPTY}`).join(",");

const headers: readonly (readonly [string, () => RandomAccess, RegExp])[] = [
  ["lists in lists", () => filled("", "["), /not an object/],
  ["objects in objects", () => filled("", '{"a":'), /is nested too deep|is not JSON|"a" has no dtype|"a" is not an object/],
  ["lists in a tensor", () => filled('{"a":{"b":', "["), /nested too deep/],
  ["space", () => filled("", " "), /not an object/],
  ["space in an object", () => filled("{", " "), /not JSON at character 100000000/],
  ["a name", () => filled('{"', "a", '":1}'), /a name of more than 4096 characters/],
  ["a name in escapes", () => filled('{"', "\\u0061", `":${EMPTY}}`), /a name of more than 4096 characters/],
  ["a name that does not end", () => filled('{"', "\\"), /a name of more than 4096 characters/],
  ["sizes", () => filled('{"a":{"dtype":"F32","shape":[1', ",1", '],"data_offsets":[0,0]}}'), /a list of more than 64 items/],
  ["digits", () => filled('{"a":{"dtype":"F32","shape":[', "9", '],"data_offsets":[0,0]}}'), /a number of more than 32 digits/],
  ["fields of a tensor", () => filled('{"a":{"b":[0', ",0", "]}}"), /more than 100000 values that nothing reads/],
  ["a type", () => filled('{"a":{"dtype":"', "F", '","shape":[0],"data_offsets":[0,0]}}'), /a name of more than 4096/],
  ["commas", () => filled("{", ","), /not JSON at character 1/],
  ["metadata", () => filled(`{"__metadata__":{${Array.from({ length: 20_000 }, (_, i) => `"k${String(i)}":""`).join()}`, " "), /more than 10000 entries/],
  ["one tensor again and again", () => filled(`{"a":${EMPTY}`, `,"a":${EMPTY}`, "}"), /has "a" twice/],
  ["more tensors than there are", () => filled(`{${tensors(100_001)}`, " ", "}"), /more than 100000 entries/],
  ["bytes that are no text", () => filled("{", "\xff"), /not JSON/],
  ["what is behind it", () => filled("{}", " ", "{}"), /not JSON at character 99999998/],
]; // prettier-ignore

const places = (count: number, file: (i: number) => string): string =>
  `{"weight_map":{${Array.from({ length: count }, (_, i) => `"t${String(i)}":"${file(i)}"`).join(",")}}}`;

const indexes: readonly (readonly [string, () => string, RegExp])[] = [
  ["lists in lists", () => "[".repeat(60_000_000), /nested too deep/],
  ["metadata in metadata", () => `{"metadata":${'{"a":'.repeat(10_000_000)}`, /nested too deep/],
  ["more metadata than anybody reads", () => `{"metadata":[0${",0".repeat(30_000_000)}]}`, /values that nothing reads/],
  ["a name", () => `{"weight_map":{"${"a".repeat(60_000_000)}":"a"}}`, /a name of more than 4096 characters/],
  ["a file's name", () => `{"weight_map":{"a":"${"a".repeat(60_000_000)}"}}`, /a name of more than 4096 characters/],
  ["files without end", () => places(20_000, (i) => `f${String(i)}`), /more than 10000 files/],
  ["files that are not there", () => places(9_000, (i) => `f${String(i)}`), /no such file/],
  ["files elsewhere", () => places(100_000, (i) => (i === 99_999 ? "../a" : "a")), /"t99999" is said to be in "..\/a"/],
  ["one tensor in two files", () => `${places(100_000, () => "a").slice(0, -2)},"t5":"b"}}`, /"t5" twice/],
  ["too many characters", () => " ".repeat(64_000_001), /it has 64000001 characters/],
]; // prettier-ignore

async function refused(work: () => Promise<unknown>, code: ErrorCode, text: RegExp): Promise<void> {
  const error = await within(() => work().then(() => undefined, (reason: unknown) => reason)); // prettier-ignore
  assert.ok(error instanceof KraitError, String(error));
  assert.equal(error.code, code);
  assert.match(error.message, text);
  assert.ok(error.message.length < 20_000, String(error.message.length));
}

describe("a hostile safetensors header", () => {
  for (const [what, make, text] of headers)
    it(`is refused at once: ${what}`, async () => {
      const file = make();
      await refused(() => readSafetensors(file), "R0301", text);
    });

  it("may be as long and have as many tensors as are allowed", async () => {
    const file = filled(`{"__metadata__":{"note":"${"x".repeat(50_000_000)}"},${tensors(99_999)}`, " ", "}");
    const found = await within(() => readSafetensors(file));
    assert.equal(found.size, 99_999);
  });
});

describe("a hostile index of shards", () => {
  for (const [what, make, text] of indexes)
    it(`is refused at once: ${what}`, async () => {
      const index = make();
      let opened = 0;
      const open = (name: string): Promise<RandomAccess> => {
        opened++;
        return Promise.reject(new KraitError("R0302", `no such file: ${name}`));
      };
      await refused(() => openShardedCheckpoint(index, open), "R0302", text);
      assert.ok(opened <= 16, String(opened));
    });
});
