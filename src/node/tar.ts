/**
 * Regular files of a tar archive (POSIX ustar), as much of the format as a driver's archive needs.
 * Names are reduced to their last part: nothing can be written outside the folder that the caller extracts to.
 */
export function* tarFiles(archive: Uint8Array): Generator<{ name: string; mode: number; data: Uint8Array }> {
  const block = 512;
  for (let at = 0; at + block <= archive.length;) {
    const header = archive.subarray(at, at + block);
    if (header[0] === 0) return;
    const name = text(header, 0, 100);
    const mode = octal(header, 100, 8);
    const size = octal(header, 124, 12);
    const type = text(header, 156, 1);
    at += block;
    if (at + size > archive.length) throw new Error(`the archive ends inside ${name}`);
    if (type === "" || type === "0") {
      yield { name: name.slice(name.lastIndexOf("/") + 1), mode, data: archive.subarray(at, at + size) };
    }
    at += Math.ceil(size / block) * block;
  }
}

function text(header: Uint8Array, offset: number, length: number): string {
  const field = header.subarray(offset, offset + length);
  const end = field.indexOf(0);
  return new TextDecoder().decode(end < 0 ? field : field.subarray(0, end)).trim();
}

function octal(header: Uint8Array, offset: number, length: number): number {
  const digits = text(header, offset, length);
  if (!/^[0-7]+$/.test(digits)) throw new Error(`"${digits}" is not an octal number of a tar header`);
  return Number.parseInt(digits, 8);
}
