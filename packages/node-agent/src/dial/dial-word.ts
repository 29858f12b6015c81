// In: what became of a connection. Out: the one line that the dialling program prints, and what such a line says. Pure.
import type { DialOutcome, DialResult } from "@weft/shared/model/dial";

const outcomes: readonly DialOutcome[] = ["accepted", "refused", "unanswered", "unreachable"];

export function dialWord({ outcome, errno }: DialResult): string {
  return `${errno === "" ? outcome : `${outcome} ${errno}`}\n`;
}

/** undefined: it is no such line, to the letter. */
export function readDialWord(text: string): DialResult | undefined {
  const [, word, errno = ""] = /^([a-z]+)(?: (E[A-Z0-9]{1,20}))?\n$/.exec(text) ?? [];
  const outcome = outcomes.find((each) => each === word);
  if (outcome === undefined) return undefined;
  const hasErrno = outcome === "refused" || outcome === "unreachable";
  return hasErrno === (errno !== "") ? { outcome, errno } : undefined;
}
