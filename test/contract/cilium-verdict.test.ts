// What people read of the verdict on Cilium, for typical machines, for review. WEFT_UPDATE_GOLDEN=1 writes it anew.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "@jest/globals";
import { ciliumReleases } from "../../packages/node-agent/src/decide/cilium-releases.ts";
import { type CiliumFacts, ciliumVerdict } from "../../packages/node-agent/src/decide/cilium-verdict.ts";
import { ciliumLines, nothingKnown } from "../../packages/shared/src/model/cilium.ts";
import { ciliumMachine, goodGround, goodOptions } from "../support/cilium-machine.ts";

const directory = join(import.meta.dirname, "golden/cilium");

/** As Debian installs itself: options that are modules, iproute2 and mount, nothing else. */
const bare = {
  kernelOptions: goodOptions.map(({ name }) => ({
    name,
    value: /^(VETH|VXLAN|IP_SET|NETFILTER_XT|NFT_COMPAT|IP_NF|NET_CLS_BPF|NET_SCH)/.test(name)
      ? ("m" as const)
      : ("y" as const),
  })),
  loadsModules: true,
  tools: goodGround.tools.filter(({ name }) => name === "ip" || name === "mount"),
};

const machines: readonly (readonly [string, CiliumFacts])[] = [
  ["ready", ciliumMachine()],
  ["bare-debian-12", ciliumMachine({}, bare)],
  ["ubuntu-20.04", ciliumMachine({ kernel: "5.4.0-26-generic", systemd: "245" }, bare)],
  [
    "in-a-container",
    ciliumMachine(
      {
        bpffs: false,
        bpfProgramTypes: ciliumMachine().bpfProgramTypes.map(({ name }) => ({
          name,
          loads: false,
          why: "Operation not permitted (errno 1)",
        })),
      },
      { kernelConfig: "", kernelOptions: [] },
    ),
  ],
  [
    "beside-another-cilium",
    ciliumMachine(
      {},
      { ports: goodGround.ports.map((fact) => ({ ...fact, holder: "a process of uid 0 on 127.0.0.1" })) },
    ),
  ],
  [
    "nothing-known",
    {
      kernel: "",
      architecture: "",
      systemd: "",
      memoryBytes: 0,
      bpffs: false,
      bpfProgramTypes: [],
      cilium: nothingKnown,
    },
  ],
];

describe("the verdict on Cilium, in words", () => {
  it.each(machines)("%s", (name, facts) => {
    const path = join(directory, `${name}.txt`);
    const text = `${ciliumLines(ciliumReleases.map((release) => ciliumVerdict(facts, release))).join("\n")}\n`;
    if (process.env["WEFT_UPDATE_GOLDEN"] === "1") writeFileSync(path, text);
    expect(text).toBe(readFileSync(path, "utf8"));
  });
});
