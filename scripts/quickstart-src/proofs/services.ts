// Proofs that the right services reach each other, by identity, and nobody else does.
import { apiId, apiUrl, node, webApp, webId } from "../demo-mesh.ts";
import {
  must,
  mustFail,
  type Proof,
  ProofFailed,
  proberSource,
  textOf,
  until,
  type World,
} from "../world.ts";

const unreachable = /refused|unreachable|timed? ?out|reset|EHOSTUNREACH|ECONNREFUSED|ETIMEDOUT/i;

interface Answer {
  readonly peer: string;
  readonly hello: string;
}

/** One call by a service's user; resolves to what both sides say of each other. */
export async function call(
  world: World,
  machine: string,
  user: string,
  url: string,
  expect: string,
): Promise<Answer> {
  const text = await must(world, machine, [node, webApp, "--get", url, "--expect", expect], {
    user,
    timeoutMs: 20_000,
  });
  const line: unknown = JSON.parse(text.trim().split("\n").at(-1) ?? "");
  if (typeof line !== "object" || line === null || !("peer" in line) || !("body" in line))
    throw new ProofFailed("the caller printed no answer", text);
  const { body } = line;
  const hello = typeof body === "object" && body !== null && "hello" in body ? String(body.hello) : "";
  return { peer: String(line.peer), hello };
}

export async function callWorks(world: World): Promise<Answer> {
  return until("web -> api", 40_000, () => call(world, "web1", "web", apiUrl, apiId), 300);
}

export const webReachesApi: Proof = {
  claim: "web -> api answers, each side naming the other's SPIFFE ID",
  async run(world) {
    const answer = await callWorks(world);
    if (answer.peer !== apiId || answer.hello !== webId)
      throw new ProofFailed("the wrong identity", JSON.stringify(answer));
    const log = await must(world, "api1", ["journalctl", "-u", "api", "-o", "cat", "--no-pager"]);
    const served = log.split("\n").findLast((line) => line.includes(webId));
    if (served === undefined) throw new ProofFailed("api did not log who called", log);
    return `web verified ${answer.peer}; api: ${served.trim()}`;
  },
};

export const apiCannotReachWeb: Proof = {
  claim: "api -> web is refused (nothing allows it)",
  async run(world) {
    await must(world, "web1", ["systemctl", "is-active", "web.service"]);
    return mustFail(world, "api1", ["nc", "-vz", "-w", "2", "web.mesh.internal", "8080"], unreachable, {
      user: "api",
      timeoutMs: 20_000,
    });
  },
};

/** Packets for the service port that web1 sent and api1's kernel saw, counted by a table of the test's own. */
async function arrivals(world: World): Promise<number> {
  const text = await must(world, "api1", ["nft", "list", "counter", "inet", "proof", "from_web1"]);
  return Number(/packets (\d+)/.exec(text)?.[1] ?? Number.NaN);
}

export const malloryIsRefusedAtHome: Proof = {
  claim: "mallory, another user on web1, is refused by web1's own kernel and gets no SVID",
  async run(world) {
    // whatever source address they have
    const link = await must(world, "web1", ["ip", "-o", "link", "show", "eth0"]);
    const sender = /link\/ether (\S+)/.exec(link)?.[1] ?? "";
    await must(world, "api1", ["nft", "-f", "-"], {
      input: `add table inet proof
add counter inet proof from_web1
add chain inet proof early { type filter hook prerouting priority -500; policy accept; }
add rule inet proof early ether saddr ${sender} tcp dport 8080 counter name from_web1
`,
    });
    try {
      const before = await arrivals(world);
      const tcp = await world.lab.exec("web1", ["nc", "-vz", "-w", "2", "10.77.0.12", "8080"], {
        user: "mallory",
      });
      if (tcp.code === 0) throw new ProofFailed("mallory reached api", textOf(tcp));
      const after = await arrivals(world);
      if (after !== before)
        throw new ProofFailed("mallory's packets left web1", `${after - before} packets at api1`);
      // the same counter moves for web, so it does count
      await callWorks(world);
      if ((await arrivals(world)) === after)
        throw new ProofFailed("the counter does not count", String(after));
      const svid = await mustFail(
        world,
        "web1",
        [node, webApp, "--get", apiUrl, "--expect", apiId],
        /identity|SVID|permission/i,
        { user: "mallory", timeoutMs: 20_000 },
      );
      return `${textOf(tcp).split("\n").at(-1) ?? ""}; 0 packets arrived at api1; Workload API: ${svid}`;
    } finally {
      await must(world, "api1", ["nft", "delete", "table", "inet", "proof"]);
    }
  },
};

async function refusedFromRogue(world: World, address: string, port: number): Promise<string> {
  const result = await world.lab.exec("rogue", ["nc", "-vz", "-w", "2", address, String(port)]);
  if (result.code === 0) throw new ProofFailed(`rogue reached ${address} port ${port}`, textOf(result));
  return textOf(result).split("\n").at(-1) ?? "";
}

export const rogueIsRefused: Proof = {
  claim: "rogue (never enrolled, same network) -> api is refused over IPv4 and IPv6, and -> hub:7443 too",
  async run(world) {
    // a port nobody declared stays as it was: it shows that rogue's packets do arrive
    const listeners = [
      await world.lab.spawn("api1", ["nc", "-4", "-lk", "9999"]),
      await world.lab.spawn("api1", ["nc", "-6", "-lk", "9999"]),
    ];
    try {
      for (const address of [world.lab.address("api1"), world.lab.address6("api1")])
        await until(`rogue -> ${address} port 9999, which nobody declared,`, 5_000, async () => {
          const result = await world.lab.exec("rogue", ["nc", "-z", "-w", "2", address, "9999"]);
          return result.code === 0 ? true : undefined;
        });
    } finally {
      await Promise.all(listeners.map((listener) => listener.stop()));
    }
    const four = await refusedFromRogue(world, world.lab.address("api1"), 8080);
    const six = await refusedFromRogue(world, world.lab.address6("api1"), 8080);
    const hub = await refusedFromRogue(world, world.lab.address("hub"), 7443);
    return `${four}; ${six}; ${hub}`;
  },
};

export interface Prober {
  /** Ends it; resolves to its counts; throws when anything was open. */
  finish(): Promise<string>;
}

/** Tries each target some 35 times a second, from now until finish(). */
export async function startProber(
  world: World,
  machine: string,
  targets: readonly (readonly [string, number])[],
  user?: string,
): Promise<Prober> {
  const path = `/var/tmp/prober-${user ?? "root"}.pl`;
  await world.lab.writeFile(machine, path, proberSource(), 0o755);
  const pairs = targets.flatMap(([address, port]) => [address, String(port)]);
  const running = await world.lab.spawn(
    machine,
    ["perl", path, "240", ...pairs],
    user === undefined ? {} : { user },
  );
  await running.waitForLine((line) => line === "READY", 10_000);
  return {
    async finish() {
      await running.stop();
      const { lines } = running;
      const counts = lines.find((line) => line.startsWith("DONE"));
      if (counts === undefined) throw new ProofFailed("the prober left no counts", lines.join("\n"));
      const open = lines.filter((line) => line.startsWith("OPEN"));
      if (open.length > 0)
        throw new ProofFailed(
          `${machine}: ${open.length} attempts were answered`,
          open.slice(0, 5).join("\n"),
        );
      return counts.replace("DONE ", "");
    },
  };
}
