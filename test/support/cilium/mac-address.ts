// In: the name of a link's end. Out: a hardware address for it. Pure.

/** Locally administered, the same every time. */
export function macOf(text: string): string {
  let hash = 0;
  for (const character of text) hash = (hash * 31 + (character.codePointAt(0) ?? 0)) % 0x1_0000_0000;
  const hex = hash.toString(16).padStart(8, "0");
  return `02:00:${hex.match(/../g)?.join(":")}`;
}
