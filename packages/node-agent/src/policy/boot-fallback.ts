// In: a state whose rules are confirmed. Out: what boot loads should both policy files be damaged: guard flows only, or
// nothing, as the mesh file says. Written when it differs; a write that was cut short is made good by the next look.
import type { DesiredState } from "@weft/shared/model/desired";
import { renderGuardsOnly } from "@weft/shared/render/nftables";
import type { Files } from "../host/host.ts";
import { places } from "../state/places.ts";
import { readScript, writeScript } from "./confirmed.ts";

export class BootFallback {
  readonly #files: Files;
  /** What is on disk is of this state: looked at once. */
  #kept: DesiredState | undefined;

  constructor(files: Files) {
    this.#files = files;
  }

  async keep(desired: DesiredState): Promise<void> {
    if (this.#kept === desired) return;
    if (desired.policy.boot === "open") await this.#files.remove(places.guardsOnlyPolicy);
    else {
      const text = renderGuardsOnly(desired);
      if ((await readScript(this.#files, places.guardsOnlyPolicy)) !== text)
        await writeScript(this.#files, places.guardsOnlyPolicy, text);
    }
    this.#kept = desired;
  }
}
