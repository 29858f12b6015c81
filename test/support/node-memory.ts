// In: a host of a kernel net that is a node. Out: what its agent tells of what the kernel remembers, message by message,
// as it comes over the wire; and the memory made as old as a test needs it.
import { Observer } from "../../packages/node-agent/src/observe/observer.ts";
import { Observation as Message } from "../../packages/shared/src/gen/weft/v1/agent.ts";
import type { Observation } from "../../packages/shared/src/model/observation.ts";
import {
  markedSets,
  markTimeoutSeconds,
  renderMarks,
} from "../../packages/shared/src/render/nftables-memory.ts";
import { decodeObservation, encodeObservation } from "../../packages/shared/src/wire/observation-codec.ts";
import { FakeHost } from "./fake-host.ts";
import type { KernelNet } from "./kernel-net.ts";

const never = new AbortController().signal;
/** A set that is full is not told to its end, and that is said. */
const mostLooks = 6;

function outputOf(failure: unknown): {
  code: number;
  stdout: string;
  stderr: string;
} {
  const { status, stdout, stderr } = failure as {
    status: number;
    stdout: string;
    stderr: string;
  };
  return { code: status, stdout, stderr };
}

export class NodeMemory {
  readonly #net: KernelNet;
  readonly #node: string;
  readonly #host = new FakeHost();
  readonly #observer: Observer;
  #stream = 0;
  #told: Observation[] = [];

  constructor(net: KernelNet, node: string) {
    this.#net = net;
    this.#node = node;
    this.#host.exec.programs.set("nft", (args, { input = "" }) => {
      try {
        return { stdout: net.run(node, ["nft", ...args], input) };
      } catch (failure) {
        return outputOf(failure);
      }
    });
    const say = () => {};
    this.#observer = new Observer({
      host: this.#host,
      log: { info: say, warn: say, error: say },
      node,
      streams: () => this.#stream,
      send: (observation) => {
        const sent = Message.encode(encodeObservation(observation)).finish();
        this.#told.push(decodeObservation(Message.decode(sent)));
      },
    });
  }

  async prepare(users: ReadonlyMap<string, number>): Promise<void> {
    const passwd = [...users].map(([name, uid]) => `${name}:x:${uid}:${uid}::/:/bin/sh\n`).join("");
    await this.#host.files.write("/etc/passwd", passwd);
    await this.#host.files.write("/proc/uptime", "1000000000.0 1.0\n");
  }

  /** Everything, as on a new stream, look by look. */
  async tell(): Promise<Observation[]> {
    const { clock } = this.#host;
    clock.advance(Date.now() - clock.now().getTime());
    this.#stream++;
    this.#told = [];
    for (let looks = 0; looks < mostLooks; looks++) {
      await this.#observer.look(never, true);
      const last = this.#told.at(-1);
      if (last?.leftOut === 0 || (last?.fullSets.length ?? 0) > 0) break;
    }
    return this.#told;
  }

  /** As if the kernel had recorded for so long already, and nothing had happened. */
  age(seconds: number): void {
    const left = markTimeoutSeconds - seconds;
    // so many seconds alone are "too large" for nft
    const text = `${Math.floor(left / 86_400)}d${left % 86_400}s`;
    this.#net.nft(this.#node, renderMarks(markedSets).replaceAll(/timeout \d+d/g, `$& expires ${text}`));
  }

  dispose(): void {
    this.#host.dispose();
  }
}
