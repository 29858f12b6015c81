// In: a name of the zone. Out: nothing when lookups of this machine work as they should, or an error that says what does
// not. The lookups are made by new processes through nss, as any program of the machine would make them.
import { messageOf, WeftError } from "@weft/shared/errors/weft-error";
import { normaliseAddress } from "@weft/shared/model/address";
import { resolverAddress } from "@weft/shared/render/resolver-address";
import type { Host } from "../host/host.ts";
import type { DnsMessage } from "./message.ts";
import type { DnsClient } from "./query.ts";

const retryMs = 200;
const askMs = 1000;

/** Asks our resolver itself until it answers with the name's addresses. */
export async function addressesFromResolver(
  host: Host,
  client: DnsClient,
  name: string,
  deadlineMs: number,
  signal: AbortSignal,
): Promise<string[]> {
  return await untilDeadline(host, deadlineMs, signal, async () => {
    const found: string[] = [];
    for (const type of ["A", "AAAA"] as const) {
      const answer = await client.ask(resolverAddress, name, type, askMs);
      if (answer.kind === "silent")
        throw refused(`the node's resolver does not answer for ${name}`, answer.why);
      found.push(
        ...answer.message.answers.filter((record) => record.type === type).map((record) => record.value),
      );
    }
    if (found.length > 0) return found;
    throw refused(
      `the node's resolver has no address for ${name}`,
      "the zone file is not loaded, or lacks the name",
    );
  });
}

/** Public names: where an upstream answers, asking our resolver must give an answer too. */
export async function proveUpstreams(client: DnsClient, upstreams: readonly string[]): Promise<void> {
  for (const upstream of upstreams) {
    const direct = await client.ask(upstream, "", "NS", askMs);
    if (direct.kind === "silent" || !isAnswered(direct.message)) continue;
    const through = await client.ask(resolverAddress, "", "NS", 3 * askMs);
    if (through.kind === "answer" && isAnswered(through.message)) return;
    const why = through.kind === "silent" ? through.why : `it answered ${through.message.code}`;
    throw refused(`public names do not resolve through the node's resolver, though ${upstream} answers`, why);
  }
}

function isAnswered(message: DnsMessage): boolean {
  return message.code === "NOERROR" || message.code === "NXDOMAIN";
}

export async function proveLookups(
  host: Host,
  zone: string,
  name: string,
  expected: readonly string[],
  deadlineMs: number,
  signal: AbortSignal,
): Promise<void> {
  await untilDeadline(host, deadlineMs, signal, async () => {
    const found = await lookup(host, name, signal);
    if (found.some((address) => expected.includes(address))) return;
    throw refused(
      `${name} does not resolve on this machine`,
      found.length === 0
        ? "getent finds nothing"
        : `getent finds ${found.join(", ")} instead of ${expected.join(", ")}; look into /etc/hosts`,
    );
  });
  // the trailing dot keeps search domains out of it
  const absent = `weft-no-such-name.${zone}.`;
  const found = await lookup(host, absent, signal);
  if (found.length > 0)
    throw refused(`a name that does not exist resolves: ${absent}`, `getent finds ${found.join(", ")}`);
}

async function lookup(host: Host, name: string, signal: AbortSignal): Promise<string[]> {
  // 2: not found
  const result = await host.exec.run("getent", ["ahosts", name], {
    timeoutMs: 15_000,
    signal,
    allow: [0, 2],
  });
  const addresses = result.stdout.split("\n").map((line) => normaliseAddress(line.split(/\s/)[0] ?? ""));
  return [...new Set(addresses.filter((address) => address !== undefined))];
}

async function untilDeadline<T>(
  host: Host,
  deadlineMs: number,
  signal: AbortSignal,
  attempt: () => Promise<T>,
): Promise<T> {
  const end = host.clock.now().getTime() + deadlineMs;
  for (;;) {
    try {
      return await attempt();
    } catch (failure) {
      signal.throwIfAborted();
      if (host.clock.now().getTime() >= end) throw failure;
      await host.clock.sleep(retryMs, signal);
    }
  }
}

function refused(what: string, why: unknown): WeftError {
  return new WeftError("WEFT-E401", what, { why: messageOf(why), hint: "read `journalctl -u weft-dns`" });
}
