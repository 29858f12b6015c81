// In: programs and kernel switches of this machine, and what it is given. Out: whether Weft's promises can be kept with
// them: rules, cutting of flows, ports and users.
import { isWeftError } from "@weft/shared/errors/weft-error";
import type { DesiredState } from "@weft/shared/model/desired";
import { witnessTable } from "@weft/shared/render/nftables-witness";
import { parseNftVersion } from "../facts/parse-system.ts";
import type { Host } from "../host/host.ts";
import { portFindings } from "../policy/ephemeral-ports.ts";
import { resolveUsers } from "../policy/users.ts";
import { type Finding, good, notice, trouble } from "./finding.ts";

export async function checkPrograms({ exec }: Host): Promise<Finding[]> {
  const findings: Finding[] = [];
  const run = async (program: string, ...args: string[]): Promise<string | undefined> => {
    try {
      const { stdout, stderr } = await exec.run(program, args, { allow: [0, 1, 2] });
      return stdout + stderr;
    } catch (failure) {
      if (isWeftError(failure)) return undefined;
      throw failure;
    }
  };
  const nft = await run("nft", "--version");
  findings.push(
    nft === undefined
      ? trouble("nft", "nft is not installed", "Nothing can be enforced.", "install package nftables")
      : good("nft", `nft is ${parseNftVersion(nft)}`),
  );
  for (const [program, wanted] of [
    ["ss", "iproute2"],
    ["conntrack", "conntrack"],
  ] as const)
    findings.push(
      (await run(program, program === "ss" ? "-V" : "--version")) === undefined
        ? trouble(
            "programs",
            `${program} is not installed`,
            "Established flows that become forbidden cannot be ended.",
            `install package ${wanted}`,
          )
        : good("programs", `${program} is there`),
    );
  const witness = await exec.run("nft", ["list", "table", ...witnessTable.split(" ")], { allow: [0, 1] });
  findings.push(
    witness.code === 0
      ? good("witness", "what passes while Weft's rules are gone would be counted")
      : notice(
          "witness",
          `there is no table ${witnessTable}`,
          "What passes while Weft's rules are gone is not counted: the agent does not run, or the ruleset was flushed just now.",
          "systemctl status weft-node-agent",
        ),
  );
  return findings;
}

export async function checkSwitches({ files }: Host, desired: DesiredState | undefined): Promise<Finding[]> {
  const findings: Finding[] = [];
  const ports = desired === undefined ? undefined : await portFindings(files, desired.policy.services);
  if (ports !== undefined) {
    findings.push(
      ...ports.map(({ detail }) =>
        trouble(
          "ports",
          detail,
          "An outgoing connection could take the port first, and its answers be judged as the service's.",
          "move the service below the range, or reserve its port in net.ipv4.ip_local_reserved_ports",
        ),
      ),
    );
    if (ports.length === 0) findings.push(good("ports", "no service port is one the kernel gives away"));
  }
  const loose = await files.readText("/proc/sys/net/netfilter/nf_conntrack_tcp_loose");
  if (loose?.trim() === "1")
    findings.push(
      notice(
        "sysctl",
        "net.netfilter.nf_conntrack_tcp_loose is 1",
        "The kernel takes up a connection in the middle, from either end: one whose tracking was deleted may come back.",
        "set it to 0 where nothing else needs it",
      ),
    );
  return findings;
}

export async function checkUsers(host: Host, desired: DesiredState | undefined): Promise<Finding[]> {
  if (desired === undefined) return [];
  const { uids, conditions } = await resolveUsers(host, desired);
  if (conditions.length === 0)
    return [
      good(
        "users",
        `${uids.size === 0 ? "no users are" : `${[...uids.keys()].join(", ")}: each is`} one service`,
      ),
    ];
  return conditions.map(({ detail }) =>
    trouble(
      "users",
      detail,
      "The kernel knows numbers only, and this one does not stand for one service.",
      "make a static user of its own for the service, or correct `user:` in the mesh file",
    ),
  );
}
