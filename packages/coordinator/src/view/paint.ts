// In: text and how it feels. Out: the same text, with terminal colours if they are wanted. Pure.

export type Tone = "good" | "doubtful" | "bad" | "quiet" | "plain";

const codes: Record<Tone, string> = { good: "32", doubtful: "33", bad: "31", quiet: "2", plain: "" };

export type Paint = (tone: Tone, text: string) => string;

export function makePaint(colour: boolean): Paint {
  if (!colour) return (_tone, text) => text;
  return (tone, text) =>
    codes[tone] === "" || text === "" ? text : `\u001b[${codes[tone]}m${text}\u001b[0m`;
}

/**
 * Text that came from a node or a file, made safe to print as a part of one line: no control characters reach the
 * terminal, line ends and tabs neither: behind them could stand what looks like Weft's own words.
 */
export function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, "\ufffd");
}
