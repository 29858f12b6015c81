// In: when a policy was heard to be armed. Out: since when the kernel judges by it, as exactly as can be known.
import { isWeftError } from "@weft/shared/errors/weft-error";
import type { Host } from "../host/host.ts";
import { readArmedAge } from "./kernel-table.ts";

/** A busy machine hears late that its nft has ended; the kernel knows for how long it has had the elements. */
export async function armedSince({ exec, clock }: Host, heard = clock.now()): Promise<Date> {
  let age: number | undefined;
  try {
    age = await readArmedAge(exec);
  } catch (failure) {
    // it is in force; only less exactly known since when
    if (!isWeftError(failure)) throw failure;
  }
  if (age === undefined) return heard;
  // It looked before the answer came, and took the elements some ms before it judged by them.
  return new Date(Math.min(heard.getTime(), clock.now().getTime() - age));
}
