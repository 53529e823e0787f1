/**
 * Scripts with V8's code cache: what V8 compiled of a script in one run, kept in a file beside it, so that the next run need
 * not parse and compile it again. That took a fifth of the time of `krait check`.
 */
import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { cachedDataVersionTag } from "node:v8";
import { Script } from "node:vm";

export interface LoadedScript {
  /** What the script exports. */
  readonly exports: unknown;
  /** Keeps what has been compiled until now, unless this run itself found that. */
  keep(): void;
}

/** As scripts/build.mjs names them. */
type ScriptArguments = [
  module: { exports: unknown },
  require: NodeJS.Require,
  importModule: (name: string) => Promise<unknown>,
  moduleUrl: string,
];

/** In the place of import(), which in scripts is an experiment of Node.js, and warns of that. */
const importModule = (name: string): Promise<unknown> => import(name);

/**
 * Runs a script, in ASCII, that is a function expression of `ScriptArguments`. `use` names what it will be used for:
 * each use has a cache of its own, of the functions that it runs.
 *
 * The name of the cache's file has all that it is valid for: the script by its name (which has a hash of its content), Node.js,
 * whose releases patch V8 without another version of it, and V8's version, flags and processor by V8's own tag. V8 checks no
 * more than the lengths of what it gets.
 */
export function loadScript(path: string, use: string): LoadedScript {
  const { version, arch } = process;
  const file = `${path}.${use}-${version}-${arch}-${cachedDataVersionTag().toString(16)}.cache`;
  const cachedData = readChecked(file);
  const script = new Script(readFileSync(path, "latin1"), {
    filename: path,
    cachedData,
  });
  const run = script.runInThisContext() as (...given: ScriptArguments) => void;
  const module = { exports: {} };
  run(module, createRequire(path), importModule, pathToFileURL(path).href);
  const keep = (): void => {
    if (cachedData === undefined || script.cachedDataRejected) writeChecked(file, script.createCachedData());
  };
  return { exports: module.exports, keep };
}

/** The sum's length; a multiple of 8, at which V8 reads data in place. */
const HEADER = 8;

/** The file's content if no block of it was lost, as when a machine stops: V8 would crash on that, or run it. */
function readChecked(file: string): Buffer | undefined {
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch {
    return undefined; // not made yet
  }
  const data = bytes.subarray(HEADER);
  return bytes.length > HEADER && bytes.readInt32LE(0) === sumOf(data) ? data : undefined;
}

/** Appears whole or not at all. A folder that cannot be written to is nobody's mistake: the next run is as slow as this one. */
function writeChecked(file: string, data: Buffer): void {
  const header = Buffer.alloc(HEADER);
  header.writeInt32LE(sumOf(data));
  // Not by the process alone: those of two containers that share a folder may have one number.
  const temporary = `${file}.${String(process.pid)}-${Math.random().toString(36).slice(2)}.cache`;
  try {
    writeFileSync(temporary, Buffer.concat([header, data]), { flag: "wx" });
    renameSync(temporary, file);
  } catch {
    removeIfPossible(temporary);
  }
}

function removeIfPossible(file: string): void {
  try {
    rmSync(file, { force: true });
  } catch {
    // The command has done what it was asked for: what is left lies there unread.
  }
}

/** Words of 4 bytes from one that is looked at to the next: less than anything that file systems lose as a whole. */
const SAMPLED = 16;

/** A hash of some words: all of them would take as long as a tenth of what the cache saves. 2³² over the golden ratio spreads their bits. */
function sumOf(data: Buffer): number {
  const words = new Int32Array(data.buffer, data.byteOffset, data.length >> 2);
  let sum = data.length;
  for (let k = 0; k < words.length; k += SAMPLED) sum = Math.imul(sum ^ (words[k] ?? 0), 0x9e3779b1);
  return sum;
}
