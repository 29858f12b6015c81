// In: what a Cilium agent of this machine says of itself, or left in the kernel. Out: what that means beside Weft. Nothing
// of Cilium: nothing is said. All of it is a notice: nftables enforces, and no promise of Weft rests on Cilium.
import { isWeftError, type WeftError } from "@weft/shared/errors/weft-error";
import { CiliumClient, ciliumSocket } from "../cilium/agent-client.ts";
import type { CiliumConfig, CiliumHealth } from "../cilium/parse-answers.ts";
import type { CiliumEndpoint } from "../cilium/parse-endpoint.ts";
import type { Host } from "../host/host.ts";
import { type Finding, notice } from "./finding.ts";

/** Where Cilium pins its maps; the second where no bpffs is mounted at the usual place. */
const mapDirectories = ["/sys/fs/bpf/tc/globals", "/run/cilium/bpffs/tc/globals"];

/** Somebody waits. */
const answerWithinMs = 2_000;

/** undefined: there is no socket to ask at. */
export interface CiliumAnswers {
  readonly health: CiliumHealth | WeftError | undefined;
  readonly config: CiliumConfig | WeftError | undefined;
  readonly endpoints: readonly CiliumEndpoint[] | WeftError | undefined;
  /** Directories with pinned maps of Cilium. */
  readonly maps: readonly string[];
}

const unseen = "`weft why` and `weft plan` do not see them and may call allowed what they drop.";
const unanswered = `What Cilium loaded judges packets also while its agent does not answer; ${unseen}`;

export async function checkCilium(host: Host, signal?: AbortSignal): Promise<Finding[]> {
  const client = new CiliumClient(host.sockets, answerWithinMs);
  const [health, config, endpoints] = await Promise.all([
    orFailure(client.health({ signal })),
    orFailure(client.config({ signal })),
    orFailure(client.endpoints({ signal })),
  ]);
  const maps: string[] = [];
  for (const directory of mapDirectories)
    if ((await host.files.list(directory)).some((name) => name.startsWith("cilium_"))) maps.push(directory);
  return judgeCilium({ health, config, endpoints, maps });
}

/** A failed answer is something to tell, and must not keep the others from being told. */
async function orFailure<T>(answer: Promise<T>): Promise<T | WeftError | undefined> {
  try {
    return await answer;
  } catch (failure) {
    if (!isWeftError(failure)) throw failure;
    return failure.code === "WEFT-E007" ? undefined : failure;
  }
}

export function judgeCilium({ health, config, endpoints, maps }: CiliumAnswers): Finding[] {
  const answers = [health, config, endpoints];
  const failures = new Map(
    answers.filter(isWeftError).map((failure) => [`${failure.message} ${failure.why}`, failure]),
  );
  const findings: Finding[] = [];
  if (answers.some((answer) => answer !== undefined && !isWeftError(answer)))
    findings.push(running(known(health), known(config), known(endpoints)));
  else if (failures.size === 0 && maps.length > 0)
    findings.push(
      notice(
        "cilium",
        `no Cilium agent answers, but maps of one are in the kernel (${maps.join(", ")})`,
        unanswered,
        "start the agent again, or take away what it loaded: cilium-dbg post-uninstall-cleanup",
      ),
    );
  for (const { message, why, code } of failures.values())
    findings.push(
      notice(
        "cilium",
        `a Cilium agent does not answer as it should: ${message}`,
        `${why === undefined ? "" : `${why}. `}${unanswered}`,
        `see whether the agent whose socket is ${ciliumSocket} runs, and its log (${code})`,
      ),
    );
  const state = known(health);
  if (state !== undefined && state.state !== "Ok")
    findings.push(
      notice(
        "cilium",
        `the Cilium agent calls itself ${state.state}${state.remark === "" ? "" : `: ${state.remark}`}`,
        "Packets are judged as before; new endpoints and identities may have to wait (they do without its key-value store).",
        "see to what it names (cilium-dbg status); a failing store is no reason to restart the agent",
      ),
    );
  const options = known(config);
  return options === undefined ? findings : [...findings, ...optionFindings(options)];
}

function known<T>(answer: T | WeftError | undefined): T | undefined {
  return isWeftError(answer) ? undefined : answer;
}

function running(
  health: CiliumHealth | undefined,
  config: CiliumConfig | undefined,
  endpoints: readonly CiliumEndpoint[] | undefined,
): Finding {
  const version = health?.version || "of unknown version";
  const policy = config?.policy === undefined ? "" : `, enable-policy ${config.policy}`;
  return notice(
    "cilium",
    `a Cilium agent ${version} runs: ${endpointsText(endpoints)}${policy}`,
    `Its BPF programs judge packets before and after Weft's rules, and a drop of either is final; ${unseen}`,
    "ask Cilium as well: cilium-dbg endpoint list, cilium-dbg monitor --type drop",
  );
}

function endpointsText(endpoints: readonly CiliumEndpoint[] | undefined): string {
  if (endpoints === undefined) return "its endpoints are not known";
  const own = endpoints.filter(({ reserved }) => reserved === undefined).length;
  const reserved = endpoints.flatMap((endpoint) => endpoint.reserved ?? []).sort();
  const waiting = endpoints.filter(({ state }) => state !== "ready").length;
  const also = reserved.length === 0 ? "" : ` beside its own (${reserved.join(", ")})`;
  return `${own} ${own === 1 ? "endpoint" : "endpoints"}${also}${waiting === 0 ? "" : `, ${waiting} not ready`}`;
}

function optionFindings({ checksSources, hostFirewall }: CiliumConfig): Finding[] {
  const findings: Finding[] = [];
  if (checksSources !== true)
    findings.push(
      notice(
        "cilium-sources",
        checksSources === false
          ? "Cilium does not check the source addresses of its endpoints"
          : "the Cilium agent does not say whether it checks the source addresses of its endpoints",
        "Unchecked, an identity of Cilium is a source address, and any endpoint can send as another.",
        "write true into the file enable-source-ip-verification of its --config-dir (no flag has that name), restart the agent",
      ),
    );
  if (hostFirewall !== false)
    findings.push(
      notice(
        "cilium-host",
        hostFirewall === true
          ? "Cilium's host firewall is on"
          : "the Cilium agent does not say whether its host firewall is on",
        "With it Cilium judges this machine's own ports, too: SSH, the agent's link and every service on them.",
        "see that its policies about this machine (nodeSelector) allow what the mesh file allows",
      ),
    );
  return findings;
}
