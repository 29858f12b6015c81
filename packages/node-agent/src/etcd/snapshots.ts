// In: etcd, a folder. Out: copies of its whole content there, one a day and on demand, the last three.
import { WeftError } from "@weft/shared/errors/weft-error";
import type { Host } from "../host/host.ts";
import type { Etcdctl } from "./etcdctl.ts";

const kept = 3;
const everyMs = 24 * 3_600_000;
const nameForm = /^etcd-\d{8}T\d{6}Z\.db$/;

function nameAt(time: Date): string {
  return `etcd-${time.toISOString().replaceAll(/[-:]|\.\d+/g, "")}.db`;
}

export class Snapshots {
  readonly #host: Host;
  readonly #etcd: Etcdctl;
  readonly #folder: string;

  constructor(host: Host, etcd: Etcdctl, folder: string) {
    this.#host = host;
    this.#etcd = etcd;
    this.#folder = folder;
  }

  async takeDaily(signal: AbortSignal): Promise<void> {
    const newest = (await this.#names()).at(-1) ?? "";
    const dayAgo = new Date(this.#host.clock.now().getTime() - everyMs);
    if (newest <= nameAt(dayAgo)) await this.take(signal);
  }

  async take(signal: AbortSignal): Promise<void> {
    const { files, clock } = this.#host;
    await files.makeDirectory(this.#folder, 0o700);
    const path = `${this.#folder}/${nameAt(clock.now())}`;
    await this.#etcd.doSlowly(["snapshot", "save", path], signal);
    const { mode } = (await files.info(path)) ?? {};
    if (mode !== 0o600) {
      await files.remove(path);
      throw new WeftError("WEFT-E002", `${path} could be read by others`, { why: "etcdctl made it so" });
    }
    const names = await this.#names();
    // a part is of one that was broken off: there is one at a time
    const parts = (await files.list(this.#folder)).filter((name) => name.endsWith(".db.part"));
    for (const name of [...names.slice(0, -kept), ...parts]) await files.remove(`${this.#folder}/${name}`);
  }

  /** Oldest first. */
  async #names(): Promise<string[]> {
    return (await this.#host.files.list(this.#folder)).filter((name) => nameForm.test(name));
  }
}
