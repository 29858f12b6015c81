// In: the evidence, and what the mesh file wants for this node. Out: how the host's resolver is to be taken over, or
// why it is left alone. Pure. This release takes over two kinds: systemd-resolved, and a file that nobody else writes.
import type { ConditionCode } from "@weft/shared/model/condition";
import type { DesiredDns } from "@weft/shared/model/desired";
import { literalUpstreams } from "@weft/shared/render/upstreams";
import { type OwnerVerdict, ownerOf } from "./decide-owner.ts";
import type { DnsEnv } from "./evidence.ts";

export interface DnsDecision {
  readonly mode: "resolved-link" | "file" | "off";
  /** One sentence, then the trace. */
  readonly why: string;
  readonly condition: ConditionCode | undefined;
  /** Where CoreDNS forwards everything outside the zone; only in file mode. */
  readonly upstreams: readonly string[];
  /** The same for services in network namespaces, which never ask this machine's own resolver; in every mode. */
  readonly endpointUpstreams: readonly string[];
  /** The evidence is not conclusive: nothing is taken, and what is in force is not given back either. */
  readonly keep: boolean;
}

/** @param own addresses of this node, which are never upstreams */
export function decideDnsMode(
  env: DnsEnv,
  wanted: Pick<DesiredDns, "mode" | "upstreams">,
  own: readonly string[],
): DnsDecision {
  if (wanted.mode === "off") return { ...nothing, why: "the mesh file says `mode: off`" };
  const verdict = ownerOf(env);
  const upstreams = literalUpstreams(wanted.upstreams.length > 0 ? wanted.upstreams : env.nameservers, own);
  const leftAlone = (reason: string): DnsDecision => ({
    ...nothing,
    endpointUpstreams: upstreams,
    why: `${reason}; ${verdict.evidence}`,
    condition: "DNS_NOT_TAKEN",
    keep: !verdict.sure,
  });
  const takes = wanted.mode === "auto" ? automatic(verdict) : wanted.mode;
  if (typeof takes === "object") return leftAlone(takes.not);
  if (takes === "resolved-link") {
    const reason = barsResolvedLink(env, verdict);
    return reason === undefined
      ? { ...nothing, mode: takes, why: verdict.evidence, endpointUpstreams: [resolvedStub] }
      : leftAlone(reason);
  }
  const reason = barsFile(env, verdict, upstreams);
  return reason === undefined
    ? { ...nothing, mode: takes, why: verdict.evidence, upstreams, endpointUpstreams: upstreams }
    : leftAlone(reason);
}

const nothing: DnsDecision = {
  mode: "off",
  why: "",
  condition: undefined,
  upstreams: [],
  endpointUpstreams: [],
  keep: false,
};

/** systemd-resolved knows where public names are asked; it is on loopback, where CoreDNS is and no namespace. */
const resolvedStub = "127.0.0.53";

function automatic(verdict: OwnerVerdict): "resolved-link" | { readonly not: string } {
  switch (verdict.owner) {
    case "resolved":
      return "resolved-link";
    case "plain-file":
      return {
        not: "/etc/resolv.conf is a plain file, which is only replaced when the mesh file says `mode: file`",
      };
    case "network-manager":
      return { not: "NetworkManager owns the resolver, and taking it over is not supported yet" };
    case "resolvconf":
      return { not: "resolvconf owns the resolver, and taking it over is not supported yet" };
    case "unknown":
      return { not: "it is not clear who owns the resolver" };
  }
}

function barsResolvedLink(env: DnsEnv, verdict: OwnerVerdict): string | undefined {
  if (verdict.owner !== "resolved")
    return "`mode: resolved-link` needs systemd-resolved, which does not own the resolver";
  // glibc would go past systemd-resolved, so that a link of ours would look right and do nothing
  if (env.nssReachesResolved === undefined)
    return "systemd-resolved runs, but lookups do not go through it: link /etc/resolv.conf to its stub-resolv.conf";
  return undefined;
}

function barsFile(env: DnsEnv, verdict: OwnerVerdict, upstreams: readonly string[]): string | undefined {
  if (verdict.owner !== "plain-file") return "`mode: file` needs a resolv.conf that nothing else writes";
  if (env.resolvConf.kind === "other") return "/etc/resolv.conf is neither a file nor a link";
  if (env.mounted) return "/etc/resolv.conf is a mount of its own";
  if (env.immutable === true) return "/etc/resolv.conf is immutable (chattr +i)";
  if (env.readOnly) return "/etc is read-only";
  if (env.resolvConf.dangling) return "/etc/resolv.conf is a link to nothing";
  if (upstreams.length === 0)
    return "there is no upstream to forward public names to: give `dns: { upstreams: [...] }` (loopback cannot be one)";
  return undefined;
}
