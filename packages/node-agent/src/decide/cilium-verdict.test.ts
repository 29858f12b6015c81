import { describe, expect, it } from "@jest/globals";
import type { CiliumGround } from "@weft/shared/model/cilium";
import fc from "fast-check";
import { ciliumMachine, goodGround, goodOptions } from "../../../../test/support/cilium-machine.ts";
import { type CiliumRelease, ciliumReleases } from "./cilium-releases.ts";
import { type CiliumFacts, ciliumVerdict } from "./cilium-verdict.ts";

const [first, second] = ciliumReleases as [CiliumRelease, CiliumRelease];
const needsOf = (facts: CiliumFacts, release = first) =>
  ciliumVerdict(facts, release).because.map(({ need }) => need);

const withOption = (name: string, value: "y" | "m" | "n") =>
  goodOptions.map((option) => (option.name === name ? { name, value } : option));
const withTool = (name: string, change: object) =>
  goodGround.tools.map((tool) => (tool.name === name ? { ...tool, ...change } : tool));
const withPort = (port: number, holder: string) =>
  goodGround.ports.map((fact) => (fact.port === port ? { ...fact, holder } : fact));

describe("a machine that has all there is to have", () => {
  it("can run both lines of releases, with either routing", () => {
    expect(first.version).toBe("1.18.x");
    expect(second.version).toBe("1.19.x");
    for (const release of ciliumReleases)
      for (const routing of ["tunnel", "native"] as const)
        expect(ciliumVerdict(ciliumMachine(), release, routing)).toEqual({
          version: release.version,
          can: true,
          because: [],
        });
  });

  it("needs neither what the documentation asks for in vain, nor BTF", () => {
    const names = ciliumReleases.flatMap(({ options }) => options.map(({ name }) => name));
    for (const name of ["SCHEDSTATS", "CRYPTO_USER_API_HASH", "DEBUG_INFO_BTF", "NETKIT", "GENEVE"])
      expect(names).not.toContain(name);
  });
});

describe("each thing that is missing is named, alone, with what to do", () => {
  const cases: readonly (readonly [RegExp, Partial<CiliumFacts>, Partial<CiliumGround>])[] = [
    [/^kernel 5\.10/, { kernel: "5.4.0-26-generic" }, {}],
    [/^kernel 5\.10/, { kernel: "4.18.0-553.el8" }, {}],
    [/^architecture x64 or arm64/, { architecture: "riscv64" }, {}],
    [/^systemd 242/, { systemd: "241" }, {}],
    [/^512 MiB/, { memoryBytes: 511 * 2 ** 20 }, {}],
    [/^bpffs/, { bpffs: false }, {}],
    [/^cgroup2/, {}, { cgroup2At: "" }],
    [/kernel options/, {}, { kernelConfig: "", kernelOptions: [] }],
    [/^kernel options VXLAN$/, {}, { kernelOptions: withOption("VXLAN", "n") }],
    [/^kernel options NET_CLS_BPF$/, {}, { kernelOptions: withOption("NET_CLS_BPF", "n") }],
    [/^kernel options NFT_COMPAT$/, {}, { kernelOptions: withOption("NFT_COMPAT", "n") }],
    [/^kernel options VETH$/, {}, { kernelOptions: withOption("VETH", "m") }],
    [/^clang 18\.1/, {}, { tools: goodGround.tools.filter(({ name }) => name !== "clang") }],
    [/^clang 18\.1/, {}, { tools: withTool("clang", { version: "14.0.6", form: "" }) }],
    [/^clang 18\.1/, {}, { tools: withTool("clang", { form: "" }) }],
    [/^clang 18\.1/, {}, { tools: withTool("clang", { version: "", form: "" }) }],
    [/^iptables/, {}, { tools: withTool("iptables", { form: "" }) }],
    [/^port 4240\/tcp/, {}, { ports: withPort(4240, "a process of uid 0 on 0.0.0.0") }],
    [/^port 8472\/udp/, {}, { ports: withPort(8472, "a process of uid 0 on 0.0.0.0") }],
    [/^port 9879\/tcp/, {}, { ports: withPort(9879, "a process of uid 0 on 127.0.0.1") }],
    [/^port 9890\/tcp/, {}, { ports: withPort(9890, "a process of uid 0 on 127.0.0.1") }],
    [/^port 9962\/tcp/, {}, { ports: withPort(9962, "a process of uid 0 on 127.0.0.1") }],
  ];
  it.each(cases)("%s", (need, change, ground) => {
    const { can, because } = ciliumVerdict(ciliumMachine(change, ground), first);
    expect(can).toBe(false);
    expect(because.map((reason) => reason.need)).toEqual([expect.stringMatching(need)]);
    expect(because[0]?.todo).not.toBe("");
  });

  it.each(["iptables", "ipset", "ip", "mount"])("the tool %s", (name) => {
    const tools = goodGround.tools.filter((tool) => tool.name !== name);
    expect(needsOf(ciliumMachine({}, { tools }))).toEqual([name]);
  });

  it.each(["sched_cls", "cgroup_sock", "cgroup_sock_addr"])("BPF programs of type %s, by errno", (name) => {
    const types = ciliumMachine().bpfProgramTypes.map((type) =>
      type.name === name ? { name, loads: false, why: "Operation not permitted (errno 1)" } : type,
    );
    const { because } = ciliumVerdict(ciliumMachine({ bpfProgramTypes: types }), first);
    expect(because).toEqual([
      expect.objectContaining({
        need: `BPF programs of type ${name}`,
        found: expect.stringContaining("errno 1"),
      }),
    ]);
  });

  it("options that could not be read are said to be unknown, not absent", () => {
    const { because } = ciliumVerdict(ciliumMachine({}, { kernelConfig: "", kernelOptions: [] }), first);
    expect(because[0]?.found).toMatch(/^not known: .*\/boot\/config-6\.1\.0-18-amd64/);
    const partly = goodOptions.filter(({ name }) => name !== "IP_SET");
    expect(ciliumVerdict(ciliumMachine({}, { kernelOptions: partly }), first).because[0]?.found).toMatch(
      /^not known/,
    );
  });
});

describe("what depends on the machine", () => {
  it("an option that is a module counts where modules can be had", () => {
    const modules = { kernelOptions: withOption("VXLAN", "m"), loadsModules: true };
    expect(needsOf(ciliumMachine({}, modules))).toEqual([]);
  });

  it("from kernel 6.6 on the older way of attaching programs is not asked for", () => {
    const kernelOptions = goodOptions.filter(({ name }) => !name.startsWith("NET_"));
    const without = { kernelOptions: [...kernelOptions, { name: "NET_NS", value: "y" as const }] };
    expect(needsOf(ciliumMachine({ kernel: "6.6.1" }, without))).toEqual([]);
    expect(needsOf(ciliumMachine({ kernel: "6.5.0" }, without))).toEqual([
      "kernel options NET_CLS_BPF, NET_CLS_ACT, NET_SCH_INGRESS",
    ]);
  });

  it("each kind of iptables needs its own options", () => {
    const legacy = withTool("iptables", { form: "legacy" });
    const kernelOptions = withOption("IP_NF_RAW", "n");
    expect(needsOf(ciliumMachine({}, { tools: legacy, kernelOptions }))).toEqual([
      "kernel options IP_NF_RAW",
    ]);
    expect(needsOf(ciliumMachine({}, { kernelOptions }))).toEqual([]);
  });

  it("without a tunnel neither VXLAN nor its port is asked for", () => {
    const facts = ciliumMachine(
      {},
      { kernelOptions: withOption("VXLAN", "n"), ports: withPort(8472, "somebody") },
    );
    expect(ciliumVerdict(facts, first, "tunnel").because).toHaveLength(2);
    expect(ciliumVerdict(facts, first, "native").can).toBe(true);
  });

  it("the release says what it needs: llc is a tool like any other", () => {
    const older: CiliumRelease = {
      ...first,
      version: "1.14.x",
      clang: "10.0",
      tools: [...first.tools, { name: "llc", package: "llvm" }],
    };
    const tools = withTool("clang", { version: "14.0.6" });
    expect(needsOf(ciliumMachine({}, { tools }), older)).toEqual(["llc"]);
  });
});

/** Every single fact, as what takes it away. */
type Loss = (facts: CiliumFacts) => CiliumFacts;
const ground =
  (change: (ground: CiliumGround) => Partial<CiliumGround>): Loss =>
  (facts) => ({
    ...facts,
    cilium: { ...facts.cilium, ...change(facts.cilium) },
  });
const losses: readonly Loss[] = [
  (facts) => ({ ...facts, kernel: "" }),
  (facts) => ({ ...facts, architecture: "" }),
  (facts) => ({ ...facts, systemd: "" }),
  (facts) => ({ ...facts, memoryBytes: 0 }),
  (facts) => ({ ...facts, bpffs: false }),
  ...ciliumMachine().bpfProgramTypes.map(
    ({ name }): Loss =>
      (facts) => ({ ...facts, bpfProgramTypes: facts.bpfProgramTypes.filter((type) => type.name !== name) }),
  ),
  ground(() => ({ kernelConfig: "" })),
  ground(() => ({ loadsModules: false })),
  ground(() => ({ cgroup2At: "" })),
  ...goodOptions.map(({ name: gone }) =>
    ground(({ kernelOptions }) => ({ kernelOptions: kernelOptions.filter(({ name }) => name !== gone) })),
  ),
  ...goodGround.tools.flatMap(({ name: gone }) => [
    ground(({ tools }) => ({ tools: tools.filter(({ name }) => name !== gone) })),
    ground(({ tools }) => ({
      tools: tools.map((tool) => (tool.name === gone ? { ...tool, form: "" } : tool)),
    })),
    ground(({ tools }) => ({
      tools: tools.map((tool) => (tool.name === gone ? { ...tool, version: "" } : tool)),
    })),
  ]),
  ...goodGround.ports.map(({ port: gone }) =>
    ground(({ ports }) => ({ ports: ports.filter(({ port }) => port !== gone) })),
  ),
];

const often = <T>(usual: T, ...others: T[]): fc.Arbitrary<T> =>
  fc.oneof(
    { weight: 30, arbitrary: fc.constant(usual) },
    { weight: 1, arbitrary: fc.constantFrom(...others) },
  );
/** Machines of which a fair part can run it. */
const machines: fc.Arbitrary<CiliumFacts> = fc.record({
  kernel: often("6.1.0-18-amd64", "6.6.0", "5.10", "5.9.99", "", "linux"),
  architecture: often("x64", "arm64", "ia32"),
  systemd: often("252", "242", "241.1", "", "busybox"),
  memoryBytes: often(2 ** 31, 512 * 2 ** 20, 2 ** 28, 0),
  bpffs: often(true, false),
  bpfProgramTypes: fc.tuple(
    ...ciliumMachine().bpfProgramTypes.map(({ name }) =>
      often(true, false).map((loads) => ({ name, loads, why: loads ? "" : "no (errno 1)" })),
    ),
  ),
  cilium: fc.record({
    kernelConfig: often("/proc/config.gz", ""),
    kernelOptions: fc.tuple(
      ...goodOptions.map(({ name }) =>
        often<"y" | "m" | "n">("y", "m", "n").map((value) => ({ name, value })),
      ),
    ),
    loadsModules: fc.boolean(),
    cgroup2At: often("/sys/fs/cgroup/unified", ""),
    tools: fc.tuple(
      ...goodGround.tools.map((tool) =>
        often(tool, { ...tool, form: "legacy" }, { ...tool, version: "18.0.9" }, { ...tool, form: "" }),
      ),
    ),
    ports: fc.tuple(
      ...goodGround.ports.map((fact) => often("", "somebody").map((holder) => ({ ...fact, holder }))),
    ),
  }),
});
const releases = fc.constantFrom(...ciliumReleases);
const routings = fc.constantFrom("tunnel" as const, "native" as const);

describe("whatever the facts", () => {
  it("taking facts away never turns a no into a yes", () => {
    fc.assert(
      fc.property(
        machines,
        fc.subarray([...losses]),
        releases,
        routings,
        (facts, taken, release, routing) => {
          const before = ciliumVerdict(facts, release, routing);
          const after = ciliumVerdict(
            taken.reduce((left, take) => take(left), facts),
            release,
            routing,
          );
          expect(after.can && !before.can).toBe(false);
        },
      ),
      { numRuns: 2000 },
    );
  });

  it("any single fact that is taken from a machine that can leaves one that cannot, unless nobody asks for it", () => {
    const still = losses.filter((take) => ciliumVerdict(take(ciliumMachine()), first).can);
    // loadsModules (no module there), four options of the other iptables, version of four tools and form of three
    expect(still).toHaveLength(1 + 4 + 4 + 3);
  });

  it("a no has reasons, each with what to do; a yes has none", () => {
    const seen = { yes: 0, no: 0 };
    fc.assert(
      fc.property(machines, releases, routings, (facts, release, routing) => {
        const { can, because } = ciliumVerdict(facts, release, routing);
        seen[can ? "yes" : "no"]++;
        expect(can).toBe(because.length === 0);
        for (const { need, found, todo } of because) expect([need, found, todo]).not.toContain("");
      }),
      { numRuns: 2000 },
    );
    expect(seen.yes).toBeGreaterThan(50);
    expect(seen.no).toBeGreaterThan(50);
  });

  it("a yes means that every need is met, counted another way", () => {
    fc.assert(
      fc.property(machines, (facts) => {
        if (!ciliumVerdict(facts, first, "tunnel").can) return;
        const { cilium } = facts;
        const value = (name: string) => cilium.kernelOptions.find((option) => option.name === name)?.value;
        const [clang, iptables] = ["clang", "iptables"].map((name) =>
          cilium.tools.find((tool) => tool.name === name),
        );
        const skipped = iptables?.form === "legacy" ? ["NFT_COMPAT"] : /^IP_NF_/;
        for (const { name } of goodOptions) {
          const isSkipped = skipped instanceof RegExp ? skipped.test(name) : skipped.includes(name);
          if (isSkipped || (facts.kernel === "6.6.0" && /^NET_(CLS|SCH)_/.test(name))) continue;
          expect(value(name) === "y" || (value(name) === "m" && cilium.loadsModules)).toBe(true);
        }
        expect(["6.1.0-18-amd64", "6.6.0", "5.10"]).toContain(facts.kernel);
        expect(["252", "242"]).toContain(facts.systemd);
        expect(facts.memoryBytes).toBeGreaterThanOrEqual(512 * 2 ** 20);
        expect([facts.bpffs, cilium.cgroup2At !== "", cilium.kernelConfig !== ""]).toEqual([
          true,
          true,
          true,
        ]);
        expect(facts.bpfProgramTypes.every(({ loads }) => loads)).toBe(true);
        expect([clang?.version, clang?.form]).toEqual(["19.1.4", "bpf"]);
        expect(cilium.ports.every(({ holder }) => holder === "")).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });
});
