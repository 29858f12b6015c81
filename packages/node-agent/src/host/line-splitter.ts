// In: what a program prints, in pieces. Out: its lines, each with its length; of a long one only the beginning, so that a
// program that prints without end costs no memory. Pure but for what it holds between two pieces.

const kept = 4096;
const newline = 10;

export function lineSplitter(onLine: (line: string, length: number) => void): (chunk: Buffer) => void {
  let parts: Buffer[] = [];
  let length = 0;
  const take = (part: Buffer) => {
    const room = kept - Math.min(length, kept);
    if (room > 0 && part.length > 0) parts.push(part.subarray(0, room));
    length += part.length;
  };
  return (chunk) => {
    let start = 0;
    for (let end = chunk.indexOf(newline); end !== -1; end = chunk.indexOf(newline, start)) {
      take(chunk.subarray(start, end));
      const line = Buffer.concat(parts).toString("utf8");
      const whole = length;
      parts = [];
      length = 0;
      start = end + 1;
      onLine(line, whole);
    }
    take(chunk.subarray(start));
  };
}
