// In: an etcd that answers, by its URL. Out: who its members are, by the member certificate of this node; and this node's own
// taken out of them.
import { isWeftError, WeftError } from "@weft/shared/errors/weft-error";
import { etcdPorts, memberSvidFiles } from "@weft/shared/render/etcd-places";
import { componentPath } from "../components/component-store.ts";
import type { Exec } from "../host/host.ts";
import { svidFlags } from "./etcdctl.ts";

export interface ListedMember {
  /** Hex, as etcdctl takes it. */
  readonly id: string;
  /** It has begun at least once: until then etcd knows no name of it. */
  readonly hasBegun: boolean;
  readonly peerUrls: readonly string[];
  readonly clientUrls: readonly string[];
}

export const ownUrl = `https://localhost:${etcdPorts.clients}`;

const askedMs = 4_000;
const removedMs = 10_000;

/** As the member at that URL knows them, quorum or not. @throws WEFT-E004 or WEFT-E005 if it does not answer */
export async function listMembers(
  exec: Pick<Exec, "run">,
  url: string,
  signal?: AbortSignal,
): Promise<ListedMember[]> {
  const args = ["member", "list", "--consistency=s", "--write-out=simple"];
  return parseMemberList(await etcdctl(exec, url, args, askedMs, signal));
}

/** @param urls of members that stay: the one that goes ends before it can answer */
export async function removeMember(
  exec: Pick<Exec, "run">,
  id: string,
  urls: readonly string[],
): Promise<void> {
  await etcdctl(exec, urls.join(","), ["member", "remove", id], removedMs, undefined);
}

/** Lines of: id, "started" or "unstarted", name, URLs for members, URLs for clients, whether it only learns. */
export function parseMemberList(text: string): ListedMember[] {
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  return lines.map((line) => {
    const [id = "", status = "", , ...urls] = line.split(", ");
    const [peerUrls = [], clientUrls = []] = urls.map((each) => each.split(",").filter((url) => url !== ""));
    if (
      !/^[0-9a-f]+$/.test(id) ||
      !/^(un)?started$/.test(status) ||
      !peerUrls.every(isPeerUrl) ||
      peerUrls.length === 0
    )
      throw new WeftError("WEFT-E004", "etcdctl's list of members cannot be read", {
        why: line.slice(0, 200),
      });
    return { id, hasBegun: status === "started", peerUrls, clientUrls };
  });
}

/** A member says itself what it is called: a name with a comma would make something else of its line. */
function isPeerUrl(text: string): boolean {
  return /^https?:\/\/[^=]+$/.test(text) && URL.canParse(text);
}

async function etcdctl(
  exec: Pick<Exec, "run">,
  url: string,
  args: readonly string[],
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<string> {
  const limits = ["--dial-timeout=2s", `--command-timeout=${timeoutMs - 1_000}ms`];
  const all = [`--endpoints=${url}`, ...svidFlags(memberSvidFiles), ...limits, ...args];
  const { stdout } = await exec.run(componentPath("etcdctl"), all, {
    timeoutMs,
    ...(signal === undefined ? {} : { signal }),
  });
  return stdout;
}

/** undefined: nobody there answers. */
export async function membersIfAnswered(
  exec: Pick<Exec, "run">,
  url: string,
  signal: AbortSignal,
): Promise<ListedMember[] | undefined> {
  try {
    return await listMembers(exec, url, signal);
  } catch (failure) {
    signal.throwIfAborted();
    if (!isWeftError(failure)) throw failure;
    return undefined;
  }
}
