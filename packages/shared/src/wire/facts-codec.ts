// NodeFacts <-> weft.v1.NodeFacts.
import type * as wire from "../gen/weft/v1/facts.ts";
import { mostHooks } from "../kernel-verdict/foreign-hooks.ts";
import type { NodeFacts } from "../model/facts.ts";
import { decodeGround, decodeVerdict, encodeGround, encodeVerdict, mostVerdicts } from "./cilium-codec.ts";
import { oneOf, present, toNumber } from "./number.ts";

export function encodeFacts(facts: NodeFacts): wire.NodeFacts {
  return {
    ...facts,
    memoryBytes: BigInt(facts.memoryBytes),
    bpfProgramTypes: facts.bpfProgramTypes.map((type) => ({ ...type })),
    dnsOwner: { ...facts.dnsOwner },
    interfaces: facts.interfaces.map((item) => ({ ...item, addresses: [...item.addresses] })),
    trouble: [...facts.trouble],
    components: facts.components.map((component) => ({ ...component })),
    foreignHooks: facts.foreignHooks.map((hook) => ({ ...hook })),
    cilium: encodeGround(facts.cilium),
    ciliumVerdicts: facts.ciliumVerdicts.map(encodeVerdict),
  };
}

export function decodeFacts(message: wire.NodeFacts): NodeFacts {
  const owner = present(message.dnsOwner, "dns owner");
  return {
    hostname: message.hostname,
    os: message.os,
    kernel: message.kernel,
    architecture: message.architecture,
    systemd: message.systemd,
    nft: message.nft,
    btf: message.btf,
    bpffs: message.bpffs,
    cgroup2: message.cgroup2,
    bpfProgramTypes: message.bpfProgramTypes.map(({ name, loads, why }) => ({ name, loads, why })),
    dnsOwner: {
      owner: oneOf(
        owner.owner,
        ["resolved", "plain-file", "network-manager", "resolvconf", "unknown"],
        "dns owner",
      ),
      evidence: owner.evidence,
    },
    cpus: message.cpus,
    cpuModel: message.cpuModel,
    memoryBytes: toNumber(message.memoryBytes, "memory"),
    interfaces: message.interfaces.map(({ name, mac, addresses, up, mtu }) => ({
      name,
      mac,
      addresses: [...addresses],
      up,
      mtu,
    })),
    trouble: [...message.trouble],
    components: message.components.map(({ name, version, source }) => ({ name, version, source })),
    socketDestroy: message.socketDestroy,
    enforcementVerdict: message.enforcementVerdict,
    foreignHooks: message.foreignHooks.slice(0, mostHooks).map((hook) => ({
      table: hook.table,
      chain: hook.chain,
      hook: hook.hook,
      type: hook.type,
      priority: hook.priority,
      policy: hook.policy,
      refuses: hook.refuses,
      maker: hook.maker,
      effect: hook.effect,
    })),
    cilium: decodeGround(message.cilium),
    ciliumVerdicts: message.ciliumVerdicts.slice(0, mostVerdicts).map(decodeVerdict),
  };
}
