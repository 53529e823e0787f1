import assert from "node:assert/strict";
import { openShardedCheckpoint } from "../../runtime/checkpoint.js";
import { bytesFile, type RandomAccess } from "../../runtime/random-access.js";
import { readSafetensors } from "../../runtime/safetensors.js";
import { JsonReader } from "../../runtime/json-reader.js";
import { seeded } from "../support/random.js";
import { assertRejects } from "./errors.js";

/** A file with this header text (or object) and so many bytes of data. */
function file(header: unknown, dataBytes: number, claimed?: bigint): RandomAccess {
  const text = new TextEncoder().encode(typeof header === "string" ? header : JSON.stringify(header));
  const bytes = new Uint8Array(8 + text.length + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, claimed ?? BigInt(text.length), true);
  bytes.set(text, 8);
  return bytesFile("hostile.safetensors", bytes);
}

const tensor = (dtype: string, shape: unknown, offsets: unknown): unknown => ({
  dtype,
  shape,
  data_offsets: offsets,
});

describe("safetensors", () => {
  it("finds tensors by the header, metadata aside", async () => {
    const header = {
      __metadata__: { format: "pt" },
      b: tensor("BF16", [2, 2], [8, 16]),
      a: tensor("F32", [2], [0, 8]),
      scalar: tensor("F16", [], [16, 18]),
      empty: tensor("F32", [0, 5], [18, 18]),
      __proto__x: tensor("I64", [1], [18, 26]),
    };
    const tensors = await readSafetensors(file(header, 26));
    const start = 8 + JSON.stringify(header).length;
    assert.deepEqual([...tensors.keys()].sort(), ["__proto__x", "a", "b", "empty", "scalar"]);
    assert.deepEqual(tensors.get("b")?.shape, [2, 2]);
    assert.equal(tensors.get("b")?.offset, start + 8);
    assert.equal(tensors.get("b")?.bytes, 8);
  });

  it("reads offsets beyond 4 GiB", async () => {
    const gib = 2 ** 30;
    const header = JSON.stringify({
      first: tensor("F32", [5 * (gib / 4)], [0, 5 * gib]),
      second: tensor("F32", [2], [5 * gib, 5 * gib + 8]),
    });
    const head = file(header, 0);
    const large: RandomAccess = { ...head, size: head.size + 5 * gib + 8 };
    const tensors = await readSafetensors(large);
    assert.equal(tensors.get("second")?.offset, head.size + 5 * gib);
  });

  const hostile: [string, RandomAccess, RegExp][] = [
    ["an empty file", bytesFile("x", new Uint8Array(0)), /0 bytes/],
    ["a header longer than the file", file({}, 0, 1000n), /claims 1000 bytes/],
    ["a header of 2^63 bytes", file({}, 0, 2n ** 63n), /claims/],
    ["a header of 100 MB and one byte", file({}, 0, 100_000_001n), /claims 100000001/],
    ["a header that is not JSON", file("{oops}", 0), /not JSON/],
    ["a header that is not UTF-8", bytesFile("x", Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0, 0xff)), /not JSON/],
    ["a header that is a list", file([], 0), /not an object/],
    ["a tensor that is no object", file({ a: 3 }, 0), /"a" is not an object/],
    ["a tensor without a dtype", file({ a: { shape: [], data_offsets: [0, 4] } }, 4), /no dtype/],
    ["a negative size", file({ a: tensor("F32", [-1], [0, 4]) }, 4), /shape of "a"/],
    ["a fractional size", file({ a: tensor("F32", [1.5], [0, 6]) }, 6), /shape of "a"/],
    ["a size beyond 2^53", file({ a: tensor("F32", [1e300], [0, 4]) }, 4), /shape of "a"/],
    ["sizes whose product overflows", file({ a: tensor("F32", [2 ** 40, 2 ** 40], [0, 4]) }, 4), /takes 4/],
    ["offsets the wrong way round", file({ a: tensor("F32", [1], [4, 0]) }, 4), /lies at 4…0/],
    ["offsets beyond the end", file({ a: tensor("F32", [2], [0, 8]) }, 4), /lies at 0…8 of 4/],
    ["three offsets", file({ a: tensor("F32", [1], [0, 4, 8]) }, 8), /data_offsets/],
    ["a size that disagrees with the shape", file({ a: tensor("F32", [3], [0, 8]) }, 8), /F32\[3\], 12 bytes/],
    [
      "tensors that overlap",
      file({ a: tensor("F32", [2], [0, 8]), b: tensor("F32", [2], [4, 12]) }, 12),
      /"b" overlaps "a"/,
    ],
    ["a hole", file({ a: tensor("F32", [1], [0, 4]), b: tensor("F32", [1], [8, 12]) }, 12), /hole between "a" and "b"/],
    ["bytes that belong to nothing", file({ a: tensor("F32", [1], [0, 4]) }, 5), /1 bytes at its end/],
    [
      "a name twice",
      file('{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"\\u0061":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', 4),
      /"a" twice/,
    ],
    ["a key twice within a tensor", file('{"a":{"dtype":"F32","dtype":"I32","shape":[1],"data_offsets":[0,4]}}', 4), /"dtype" twice/],
  ]; // prettier-ignore
  for (const [what, bytes, text] of hostile) {
    it(`refuses ${what}`, () => assertRejects(readSafetensors(bytes), "R0301", text));
  }

  it("refuses a file that gives less than it promised", () => {
    const whole = file({ a: tensor("F32", [1], [0, 4]) }, 4);
    const short = { ...whole, read: async (o: number, n: number) => (await whole.read(o, n)).subarray(1) };
    return assertRejects(readSafetensors(short), "R0305", /gave 7 bytes at 0 where 8/);
  });
});

describe("JSON that is not trusted", () => {
  /** Reads any value, or says what is wrong. */
  const problemOf = (text: string): string | undefined => {
    class Refused extends Error {}
    const reader = new JsonReader(text, (what) => {
      throw new Refused(what);
    });
    try {
      reader.skip();
      reader.end();
      return undefined;
    } catch (error) {
      assert.ok(error instanceof Refused, String(error));
      return error.message;
    }
  };

  it("has no key twice in one object", () => {
    assert.equal(problemOf('{"a":1,"b":{"a":[{"a":2},{"a":"a\\":\\"a"}]}}'), undefined);
    assert.equal(problemOf('{"x":[{"b":1,"b" :2}]}'), 'it has "b" twice');
    assert.equal(problemOf('{"x\\"":1,"y":"}{","x\\"":2}'), 'it has "x"" twice');
    assert.equal(problemOf(`{"k":"${"\\n".repeat(500_000)}"}`), undefined);
  });

  it("is JSON where JSON.parse says so, for pieces of JSON in any order", () => {
    const pieces = ['"a"', '"\\u00e9"', '"\\x"', ":", ",", "{", "}", "[", "]", " ", "\n", "0", "-1", "01", "1.5e3", "1.", "true", "nul", "null", "\u0001", '"'];
    const random = seeded(11);
    let sound = 0;
    for (let run = 0; run < 20_000; run++) {
      // Sound beginnings, so that some are sound to the end.
      const begin = random.pick(["", "[", '{"k":', '[{"k":[', "[0,"]);
      const text = begin + Array.from({ length: random.integer(1, 6) }, () => random.pick(pieces)).join("");
      let isJson = true;
      try {
        JSON.parse(text);
        sound++;
      } catch {
        isJson = false;
      }
      const problem = problemOf(text);
      assert.equal(problem === undefined || / twice/.test(problem), isJson, `${text}: ${problem ?? "sound"}`);
    }
    assert.ok(sound > 300, String(sound));
  });

  it("gives strings and whole numbers as JSON.parse does", () => {
    const never = (what: string): never => assert.fail(what);
    for (const text of ['"a"', '"\\u0061\\n"', '"é😀"', '""', '"\\ud800"'])
      assert.equal(new JsonReader(text, never).string(), JSON.parse(text));
    for (const [text, value] of [["0", 0], [" 12", 12], ["9007199254740991", 2 ** 53 - 1], ["9007199254740992", undefined], ["-1", undefined], ["1.0", undefined], ["1e3", undefined], ["1e999", undefined], ['"1"', undefined], ["[1]", undefined]] as const)
      assert.equal(new JsonReader(text, never).whole(), value, text);
  });
}); // prettier-ignore

describe("a sharded checkpoint", () => {
  const shard = (name: string): RandomAccess => file({ [name]: tensor("F32", [1], [0, 4]) }, 4);
  const open = (name: string): Promise<RandomAccess> =>
    Promise.resolve(shard(name.replace(".safetensors", "")));
  const index = (map: unknown): string => JSON.stringify({ metadata: {}, weight_map: map });

  it("is read through its index", async () => {
    const { tensors } = await openShardedCheckpoint(index({ a: "a.safetensors", b: "b.safetensors" }), open);
    assert.deepEqual([...tensors.keys()], ["a", "b"]);
  });

  it("refuses a tensor that its file lacks", () =>
    assertRejects(
      openShardedCheckpoint(index({ c: "a.safetensors" }), open),
      "R0302",
      /"c" is in a\.safetensors/,
    ));

  for (const name of [
    "../a.safetensors",
    "/etc/passwd",
    "..",
    "sub/a.safetensors",
    "C:\\a",
    "..\\a",
    "",
    3,
    null,
  ]) {
    it(`refuses the file ${JSON.stringify(name)}`, () =>
      assertRejects(
        openShardedCheckpoint(index({ a: name }), open),
        "R0302",
        /not the name of a file beside it/,
      ));
  }

  it("refuses an index that is none", async () => {
    await assertRejects(openShardedCheckpoint("[", open), "R0302", /not JSON/);
    await assertRejects(openShardedCheckpoint("{}", open), "R0302", /weight_map/);
    await assertRejects(openShardedCheckpoint('{"weight_map":[]}', open), "R0302", /no "weight_map"/);
    const twice = '{"weight_map":{"a":"a.safetensors","a":"b.safetensors"}}';
    await assertRejects(openShardedCheckpoint(twice, open), "R0302", /"a" twice/);
  });
});
