// In: a node's address and its endpoints. Out: the table that leads its published ports to them in the kernel.
import type { DesiredEndpoint } from "@weft/shared/model/desired-cilium";
import { endpointsTable, renderEndpointsTable } from "@weft/shared/render/endpoints-table";
import type { Host } from "../host/host.ts";
import type { StepBook } from "./step-book.ts";

export class PublishedPorts {
  readonly #host: Host;
  /** What this agent loaded last: one that has just started loads it again, in one transaction. */
  #loaded: string | undefined;

  constructor(host: Host) {
    this.#host = host;
  }

  async publish(book: StepBook, address: string, endpoints: readonly DesiredEndpoint[]): Promise<void> {
    const { exec } = this.#host;
    const script = renderEndpointsTable(address, endpoints);
    if (this.#loaded === script && (await this.#translations()) === translationsIn(script)) return;
    await book.do("publishPorts", endpointsTable, async () => {
      await exec.run("nft", ["-f", "-"], { input: script });
    });
    this.#loaded = script;
  }

  async #translations(): Promise<number> {
    const listed = await this.#host.exec.run("nft", ["list", "table", ...endpointsTable.split(" ")], {
      allow: [0, 1],
    });
    return translationsIn(listed.stdout);
  }
}

function translationsIn(text: string): number {
  return text.split(" dnat to ").length - 1;
}
