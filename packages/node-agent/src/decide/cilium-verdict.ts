// In: facts, a line of Cilium's releases, how packets shall travel. Out: whether this machine can run it, and if not, what is
// in the way and what to do about each thing. Pure. A fact that is not known is a need that is not met.
import type { CiliumReason, CiliumVerdict } from "@weft/shared/model/cilium";
import type { NodeFacts } from "@weft/shared/model/facts";
import type { CiliumRelease, OptionNeed, Routing } from "./cilium-releases.ts";
import { isAtLeast } from "./dotted-version.ts";

export type CiliumFacts = Pick<
  NodeFacts,
  "kernel" | "architecture" | "systemd" | "memoryBytes" | "bpffs" | "bpfProgramTypes" | "cilium"
>;

/** Nothing is known yet of who can reach whom without a tunnel, so the stricter of the two is asked for. */
const usualRouting: Routing = "tunnel";
const unknown = "not known";
const seeTrouble = "see the trouble among the facts of this machine";

export function ciliumVerdict(
  facts: CiliumFacts,
  release: CiliumRelease,
  routing: Routing = usualRouting,
): CiliumVerdict {
  const because = [
    ...architecture(facts, release),
    ...kernel(facts, release),
    ...options(facts, release, routing),
    ...programTypes(facts, release),
    ...fileSystems(facts),
    ...systemd(facts, release),
    ...memory(facts, release),
    ...clang(facts, release),
    ...tools(facts, release),
    ...ports(facts, release, routing),
  ];
  return { version: release.version, can: because.length === 0, because };
}

function architecture(facts: CiliumFacts, { architectures }: CiliumRelease): CiliumReason[] {
  if (architectures.includes(facts.architecture)) return [];
  return [
    {
      need: `architecture ${architectures.join(" or ")}`,
      found: facts.architecture || unknown,
      todo: facts.architecture === "" ? seeTrouble : "use another machine",
    },
  ];
}

function kernel(facts: CiliumFacts, { kernel: least }: CiliumRelease): CiliumReason[] {
  if (isAtLeast(facts.kernel, least) === true) return [];
  return [
    {
      need: `kernel ${least} or newer`,
      found: facts.kernel || unknown,
      todo: facts.kernel === "" ? seeTrouble : "boot a newer kernel",
    },
  ];
}

function isAsked(
  { when }: OptionNeed,
  facts: CiliumFacts,
  { tcxKernel }: CiliumRelease,
  routing: Routing,
): boolean {
  switch (when) {
    case "always":
      return true;
    case "without-tcx":
      return isAtLeast(facts.kernel, tcxKernel) !== true;
    case "iptables-nft":
      return toolOf(facts, "iptables")?.form === "nf_tables";
    case "iptables-legacy":
      return toolOf(facts, "iptables")?.form === "legacy";
    case "tunnel":
    case "native":
      return when === routing;
  }
}

function options(facts: CiliumFacts, release: CiliumRelease, routing: Routing): CiliumReason[] {
  const { kernelConfig, kernelOptions, loadsModules } = facts.cilium;
  const asked = release.options.filter((need) => isAsked(need, facts, release, routing));
  if (kernelConfig === "")
    return [
      {
        need: `${asked.length} kernel options`,
        found: `${unknown}: neither /proc/config.gz nor /boot/config-${facts.kernel} can be read`,
        todo: `put the configuration of this kernel at /boot/config-${facts.kernel}, or boot a kernel with IKCONFIG_PROC`,
      },
    ];
  const values = new Map(kernelOptions.map(({ name, value }) => [name, value]));
  const named = (matches: (value: "y" | "m" | "n" | undefined) => boolean) =>
    asked.filter(({ name }) => matches(values.get(name))).map(({ name }) => name);
  const absent = named((value) => value === "n");
  const untold = named((value) => value === undefined);
  const modules = loadsModules ? [] : named((value) => value === "m");
  const reasons: CiliumReason[] = [];
  if (absent.length > 0)
    reasons.push({
      need: `kernel options ${absent.join(", ")}`,
      found: `not set in ${kernelConfig}`,
      todo: "boot a kernel that has them; those of Debian and Ubuntu do",
    });
  if (untold.length > 0)
    reasons.push({
      need: `kernel options ${untold.join(", ")}`,
      found: `${unknown}: ${kernelConfig} was not read for them`,
      todo: "start a node agent of this release",
    });
  if (modules.length > 0)
    reasons.push({
      need: `kernel options ${modules.join(", ")}`,
      found: `modules by ${kernelConfig}, and none of this kernel are seen here`,
      todo: `install the modules of kernel ${facts.kernel} and its /boot/config, and package kmod`,
    });
  return reasons;
}

function programTypes(facts: CiliumFacts, release: CiliumRelease): CiliumReason[] {
  return release.programTypes.flatMap((name) => {
    const type = facts.bpfProgramTypes.find((known) => known.name === name);
    if (type?.loads === true) return [];
    return [
      {
        need: `BPF programs of type ${name}`,
        found: type === undefined ? `${unknown}: it was not tried` : `the kernel refuses: ${type.why}`,
        todo:
          type === undefined
            ? `${seeTrouble}; it is tried by perl (package perl-base)`
            : "boot a kernel with BPF, or have the container or the virtual machine allow bpf()",
      },
    ];
  });
}

function fileSystems({ bpffs, cilium }: CiliumFacts): CiliumReason[] {
  const reasons: CiliumReason[] = [];
  if (!bpffs)
    reasons.push({
      need: "bpffs at /sys/fs/bpf",
      found: "no such mount is seen",
      todo: "systemctl start sys-fs-bpf.mount, or mount -t bpf bpf /sys/fs/bpf, at each boot",
    });
  if (cilium.cgroup2At === "")
    reasons.push({
      need: "cgroup2",
      found: "no such mount is seen",
      todo: "boot with systemd.unified_cgroup_hierarchy=1",
    });
  return reasons;
}

function systemd(facts: CiliumFacts, { systemd: least }: CiliumRelease): CiliumReason[] {
  if (isAtLeast(facts.systemd, least) === true) return [];
  return [
    {
      need: `systemd ${least} or newer (NetworkNamespacePath=)`,
      found: facts.systemd || unknown,
      todo: facts.systemd === "" ? seeTrouble : "upgrade the system",
    },
  ];
}

function memory({ memoryBytes }: CiliumFacts, { memoryMiB }: CiliumRelease): CiliumReason[] {
  const have = Math.round(memoryBytes / 2 ** 20);
  if (have >= memoryMiB) return [];
  return [
    {
      need: `${memoryMiB} MiB of memory`,
      found: have === 0 ? unknown : `${have} MiB`,
      todo: have === 0 ? seeTrouble : "give the machine more",
    },
  ];
}

function toolOf(facts: CiliumFacts, name: string) {
  return facts.cilium.tools.find((tool) => tool.name === name);
}

function clang(facts: CiliumFacts, { clang: least }: CiliumRelease): CiliumReason[] {
  const found = toolOf(facts, "clang");
  const need = `clang ${least} or newer, with target bpf`;
  const install = `install package clang-${least.split(".")[0]} or newer`;
  if (found === undefined) return [{ need, found: "none is found", todo: install }];
  if (found.version === "")
    return [{ need, found: `${unknown} which version ${found.path} is`, todo: seeTrouble }];
  const label = `${found.path} ${found.version}`;
  if (isAtLeast(found.version, least) !== true) return [{ need, found: label, todo: install }];
  if (found.form === "bpf") return [];
  return [{ need, found: `${label} has no target bpf, as far as it says`, todo: install }];
}

function tools(facts: CiliumFacts, release: CiliumRelease): CiliumReason[] {
  return release.tools.flatMap(({ name, package: from }) => {
    const found = toolOf(facts, name);
    const todo = `install package ${from}`;
    if (found === undefined) return [{ need: name, found: "none is found", todo }];
    if (name !== "iptables" || found.form === "nf_tables" || found.form === "legacy") return [];
    return [
      {
        need: "iptables of a known kind",
        found: `${unknown} whether ${found.path} is nf_tables or legacy`,
        todo: seeTrouble,
      },
    ];
  });
}

function ports(facts: CiliumFacts, release: CiliumRelease, routing: Routing): CiliumReason[] {
  return release.ports.flatMap(({ port, protocol, what, when }) => {
    if (when !== "always" && when !== routing) return [];
    const fact = facts.cilium.ports.find((known) => known.port === port && known.protocol === protocol);
    if (fact?.holder === "") return [];
    const need = `port ${port}/${protocol} (${what})`;
    return [
      fact === undefined
        ? {
            need,
            found: unknown,
            todo: seeTrouble,
          }
        : {
            need,
            found: `held by ${fact.holder}`,
            todo: `ss -lnp 'sport = :${port}' names who; move or end it`,
          },
    ];
  });
}
