// In: a question about one connection. Out: what the rules loaded in this machine's kernel do with it, and who listens.
// Reads only: the question is data, and nothing in it is run.
import { isWeftError } from "@weft/shared/errors/weft-error";
import { attributionOf } from "@weft/shared/kernel-verdict/attribution";
import { type BaseVerdict, type ChainVerdict, judgeHook } from "@weft/shared/kernel-verdict/judge";
import { parseRuleset } from "@weft/shared/kernel-verdict/ruleset";
import type {
  EndpointVerdict,
  KernelAnswer,
  KernelQuestion,
  Listener,
  NoAnswer,
  OtherTable,
} from "@weft/shared/model/observation";
import { parseKernelRevision } from "@weft/shared/render/nftables";
import type { Host } from "../host/host.ts";
import { parsePasswd } from "../policy/users.ts";
import { namedListeners } from "./parse-sockets.ts";

const ownTable = "inet weft";

/** @param endpoints what Cilium says of it here */
export async function answerQuestion(
  host: Host,
  node: string,
  question: KernelQuestion,
  endpoints: (question: KernelQuestion) => Promise<EndpointVerdict[]>,
): Promise<KernelAnswer | NoAnswer> {
  const { id, hook, user } = question;
  try {
    const uid = hook === "output" ? await uidOf(host, user) : undefined;
    if (hook === "output" && uid === undefined) return { id, problem: `${node} has no user ${user}` };
    const [{ stdout }, placed] = await Promise.all([
      host.exec.run("nft", ["-j", "list", "ruleset"]),
      endpoints(question),
    ]);
    const judged = judgeHook(parseRuleset(stdout), ownTable, { ...question, uid });
    const attribution = attributionOf(judged);
    const carried = parseKernelRevision(stdout);
    const unread = await legacyTables(host);
    // what cannot be read could refuse
    const verdict = judged.verdict === "accept" && unread.length > 0 ? "unknown" : judged.verdict;
    const others = [
      ...judged.others.map(({ table, chain, verdict: said, why }) => ({
        table,
        chain,
        verdict: said,
        whyUnknown: why,
      })),
      ...unread,
    ];
    return {
      id,
      witness: `kernel of ${node}`,
      verdict,
      ownVerdict: judged.own?.verdict,
      decidedBy: attribution.kind,
      policy: attribution.name,
      file: attribution.file,
      line: attribution.line,
      strength: attribution.strength,
      whyUnknown: judged.own?.why ?? "",
      trace: judged.own === undefined ? [] : traceOf(judged.own),
      assumed: judged.own?.assumed ?? [],
      others,
      revision: carried?.revision ?? 0,
      digest: carried?.digest ?? "",
      uid,
      listeners: hook === "input" ? await listenersOf(host, question) : [],
      audited: isAudited(attribution.kind, judged.own),
      endpoints: placed,
    };
  } catch (failure) {
    if (!isWeftError(failure)) throw failure;
    return { id, problem: `${failure.message}${failure.why === undefined ? "" : `: ${failure.why}`}` };
  }
}

function traceOf({ path }: ChainVerdict): string[] {
  return path.map(({ chain, handle, action, hits }) => {
    const by = hits.map(({ set, comment }) => `@${set}${comment === "" ? "" : ` "${comment}"`}`).join(", ");
    return `${chain} (rule ${handle}): ${action}${by === "" ? "" : ` by ${by}`}`;
  });
}

async function uidOf(host: Host, user: string): Promise<number | undefined> {
  if (user === "" || user === "root") return 0;
  if (/^\d+$/.test(user)) return Number(user);
  const { stdout } = await host.exec.run("getent", ["passwd", "--", user], { allow: [0, 2] });
  return parsePasswd(stdout)[0]?.uid;
}

/** Rules of the old iptables program stand beside nftables, where nft does not see them. */
async function legacyTables(host: Host): Promise<OtherTable[]> {
  const texts = await Promise.all(
    ["ip_tables_names", "ip6_tables_names"].map((name) => host.files.readText(`/proc/net/${name}`)),
  );
  return texts.flatMap((text, index) =>
    (text ?? "")
      .split("\n")
      .filter((name) => name !== "")
      .map((name) => ({
        table: `${index === 0 ? "iptables" : "ip6tables"}-legacy ${name}`,
        chain: "",
        verdict: "unknown" as const,
        whyUnknown: "nft does not show the rules of iptables-legacy",
      })),
  );
}

async function listenersOf(host: Host, { protocol, port }: KernelQuestion): Promise<Listener[]> {
  if (protocol === "icmp") return [];
  const { files } = host;
  const v4 = (await files.readText(`/proc/net/${protocol}`)) ?? "";
  const v6 = (await files.readText(`/proc/net/${protocol}6`)) ?? "";
  return namedListeners(protocol, port, { v4, v6 }, (await files.readText("/etc/passwd")) ?? "");
}

/** It passes only because what would refuse it is on trial. */
function isAudited(kind: KernelAnswer["decidedBy"], own: BaseVerdict | undefined): boolean {
  if (own?.verdict !== "accept") return false;
  const last = own.path.flatMap(({ hits }) => hits).at(-1);
  return kind === "default" || (kind === "baseline" && last?.set.endsWith("baseline_audit") === true);
}
