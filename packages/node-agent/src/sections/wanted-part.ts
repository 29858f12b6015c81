// In: a state, and which part of it matters. Out: a short text that is the same while that part is the same: what has not
// changed need not be looked at anew because something else has.
import { createHash } from "node:crypto";
import type { DesiredContent, DesiredState } from "@weft/shared/model/desired";

export class WantedPart {
  #last: { readonly digest: string; readonly part: string } | undefined;

  of(desired: DesiredState, part: (content: DesiredContent) => object): string {
    const { digest } = desired;
    if (this.#last?.digest !== digest)
      this.#last = {
        digest,
        part: createHash("sha256")
          .update(JSON.stringify(part(desired)))
          .digest("hex"),
      };
    return this.#last.part;
  }
}
