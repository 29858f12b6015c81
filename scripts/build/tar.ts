// In: paths, modes and contents. Out: the bytes of a ustar archive that depend on nothing else: no clock, no owner.

/** An entry's mode is 0755 when executable, else 0644; a path that ends in "/" is a folder. */
export interface TarEntry {
  readonly path: string;
  readonly size: number;
  readonly executable: boolean;
}

const block = 512;

export function tarHeader(entry: TarEntry): Buffer {
  if (Buffer.byteLength(entry.path) > 99) throw new Error(`path too long for the archive: ${entry.path}`);
  const folder = entry.path.endsWith("/");
  const header = Buffer.alloc(block);
  header.write(entry.path, 0);
  header.write(folder || entry.executable ? "0000755" : "0000644", 100);
  header.write("0000000", 108);
  header.write("0000000", 116);
  header.write(entry.size.toString(8).padStart(11, "0"), 124);
  header.write("00000000000", 136);
  header.write("        ", 148);
  header.write(folder ? "5" : "0", 156);
  header.write("ustar\u000000", 257);
  header.write("root", 265);
  header.write("root", 297);
  let sum = 0;
  for (const byte of header) sum += byte;
  header.write(`${sum.toString(8).padStart(6, "0")}\u0000 `, 148);
  return header;
}

/** What follows the content so that the next header starts on a block. */
export function tarPadding(size: number): Buffer {
  return Buffer.alloc((block - (size % block)) % block);
}

export function tarEnd(): Buffer {
  return Buffer.alloc(2 * block);
}
