// In: a node name and random bytes, or a token as typed. Out: the token's one spelling, NAME.SECRET, or its node.
// The name stands in the token because the joining machine must put its SPIFFE ID into its certificate request
// before it has been told anything; the coordinator still takes the name from its own record of the token.
import { WeftError } from "../errors/weft-error.ts";
import { isLabel, type NodeName, parseNodeName } from "./ids.ts";

const secretBytes = 24;
const secretForm = /^[A-Za-z0-9_-]{32}$/;

/** @param random 24 bytes from a cryptographic source */
export function formatJoinToken(node: NodeName, random: Uint8Array): string {
  if (random.length !== secretBytes) throw new RangeError(`a token's secret has ${secretBytes} bytes`);
  return `${node}.${Buffer.from(random).toString("base64url")}`;
}

/** The node the token is for. The error never repeats the token. */
export function nodeOfJoinToken(token: string): NodeName {
  const dot = token.indexOf(".");
  const name = token.slice(0, Math.max(dot, 0));
  if (dot < 1 || !isLabel(name) || !secretForm.test(token.slice(dot + 1)))
    throw new WeftError("WEFT-E201", "this is no join token", {
      why: "A token is a node's name, a dot and 32 characters.",
      hint: "copy the token whole, as `weft node add` printed it",
    });
  return parseNodeName(name);
}
