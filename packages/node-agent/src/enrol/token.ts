// In: a terminal, a pipe or a file. Out: the join token. Never from argv, where every user of the machine sees it.
import type { Readable, Writable } from "node:stream";
import { WeftError } from "@weft/shared/errors/weft-error";
import type { Files } from "../host/host.ts";

export interface TokenInput extends Readable {
  readonly isTTY?: boolean;
  setRawMode?(on: boolean): unknown;
}

const lengthLimit = 4096;

async function firstLine(input: Readable): Promise<string> {
  let text = "";
  for await (const chunk of input) {
    text += String(chunk);
    if (text.includes("\n") || text.length > lengthLimit) break;
  }
  return text.split("\n")[0] ?? "";
}

/** Reads keys without showing them, until Enter. */
async function typedLine(input: TokenInput, screen: Writable): Promise<string> {
  screen.write("Join token (from `weft node add`; it is not shown): ");
  input.setRawMode?.(true);
  try {
    let text = "";
    for await (const chunk of input)
      for (const key of String(chunk)) {
        if (key === "\r" || key === "\n" || key === "\u0004") return text;
        if (key === "\u0003") throw new WeftError("WEFT-E001", "stopped before a token was given");
        if (key === "\u007f" || key === "\b") text = text.slice(0, -1);
        else if (text.length < lengthLimit) text += key;
      }
    return text;
  } finally {
    input.setRawMode?.(false);
    screen.write("\n");
  }
}

export async function readToken(
  from: { readonly tokenFile: string | undefined; readonly input: TokenInput; readonly screen: Writable },
  files: Files,
): Promise<string> {
  const { tokenFile, input, screen } = from;
  let text: string | undefined;
  if (tokenFile !== undefined) text = await files.readText(tokenFile);
  else text = input.isTTY === true ? await typedLine(input, screen) : await firstLine(input);
  const token = text?.trim().split("\n")[0]?.trim();
  if (token !== undefined && token !== "") return token;
  throw new WeftError("WEFT-E001", "no join token was given", {
    hint: "type it when asked, pipe it in, or name its file with --token-file",
  });
}
