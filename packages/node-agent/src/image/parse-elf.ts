// In: the beginning of a program. Out: whether the kernel can start it without a loader and libraries of its system. Pure.

const magic = "7f454c46";
/** 64 bits, the lowest byte first. */
const form = "0201";
const headerSize = 64;
const interpreter = 3;

/** False as well where it cannot be seen. */
export function isSelfContained(head: Uint8Array): boolean {
  const bytes = Buffer.from(head.buffer, head.byteOffset, head.byteLength);
  if (bytes.length < headerSize || bytes.toString("hex", 0, 4) !== magic) return false;
  if (bytes.toString("hex", 4, 6) !== form) return false;
  const start = Number(bytes.readBigUInt64LE(32));
  const [size, count] = [bytes.readUInt16LE(54), bytes.readUInt16LE(56)];
  if (count === 0 || size < 56 || start + size * count > bytes.length) return false;
  for (let part = 0; part < count; part++)
    if (bytes.readUInt32LE(start + part * size) === interpreter) return false;
  return true;
}
