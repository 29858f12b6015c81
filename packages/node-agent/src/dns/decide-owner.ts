// In: the evidence. Out: who owns the host's resolver, how sure that is, and the trace that explains it in a report. Pure.
import type { DnsOwner } from "@weft/shared/model/facts";
import type { DnsEnv } from "./evidence.ts";

export interface OwnerVerdict extends DnsOwner {
  /** False: the evidence has gaps or contradicts itself, so whatever is in force stays as it is. */
  readonly sure: boolean;
}

/** The order is the order of authority: who answers on D-Bus, then programs, then what files claim. */
export function ownerOf(env: DnsEnv): OwnerVerdict {
  const found = judge(env);
  const because = found.because === undefined ? "" : ` (${found.because})`;
  return { owner: found.owner, sure: found.sure, evidence: `${trace(env)} -> ${found.owner}${because}` };
}

interface Judgement {
  readonly owner: DnsOwner["owner"];
  readonly sure: boolean;
  readonly because?: string;
}

function judge(env: DnsEnv): Judgement {
  const { resolvConf } = env;
  if (env.gaps.length > 0) return { owner: "unknown", sure: false, because: env.gaps.join("; ") };
  if (env.networkManager !== undefined) return { owner: "network-manager", sure: true };
  if (env.resolvedOnBus && env.nssReachesResolved !== undefined) return { owner: "resolved", sure: true };
  if (env.resolvconf !== "none") return { owner: "resolvconf", sure: true };
  if (env.writers.length > 0)
    return { owner: "unknown", sure: true, because: `${env.writers.join(", ")} rewrites the file` };
  if (resolvConf.target?.includes("systemd/resolve/"))
    return env.resolvedOnBus
      ? { owner: "resolved", sure: true, because: "lookups go past it: nss does not ask it" }
      : { owner: "unknown", sure: false, because: "linked to systemd-resolved, which is not running" };
  if (/^(\/run|\/var\/run|(\.\.\/)+run)\//.test(resolvConf.target ?? ""))
    return { owner: "unknown", sure: false, because: "linked to a file that some program makes at run time" };
  if (resolvConf.author !== undefined)
    return {
      owner: "unknown",
      sure: false,
      because: `it says ${resolvConf.author} made it, but that is not running`,
    };
  return { owner: "plain-file", sure: true };
}

function trace(env: DnsEnv): string {
  const yesNo = (value: boolean | undefined) => (value === undefined ? "unknown" : value ? "yes" : "no");
  const { resolvConf } = env;
  return [
    `resolv.conf=${resolvConf.kind}${resolvConf.target === undefined ? "" : `:${resolvConf.target}`}`,
    `ours=${yesNo(resolvConf.ours)}`,
    `dangling=${yesNo(resolvConf.dangling)}`,
    `mounted=${yesNo(env.mounted)}`,
    `immutable=${yesNo(env.immutable)}`,
    `read-only=${yesNo(env.readOnly)}`,
    `networkmanager=${env.networkManager ?? "no"}`,
    `resolved=${yesNo(env.resolvedOnBus)}`,
    `nss=${env.nssReachesResolved ?? "no"}`,
    `resolvconf=${env.resolvconf}`,
    `writers=${env.writers.join(",") || "none"}`,
    `author=${resolvConf.author ?? "none"}`,
  ].join(" ");
}
