// monitor-live.txt: printed on lab machines with agents of 1.18.10. monitor-fed.txt: printed by cilium-dbg of 1.18.10, which was
// given made-up events at a socket like the agent's: verdicts of every kind, drops, lost events, an agent that goes away.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "@jest/globals";
import { parseMonitorLine } from "./parse-monitor.ts";

const recorded = join(import.meta.dirname, "../../../../test/fixtures/cilium-1.18.10");
const events = (name: string) =>
  readFileSync(join(recorded, name), "utf8")
    .trimEnd()
    .split("\n")
    .flatMap((line) => {
      const event = parseMonitorLine(line);
      if (event === undefined || event.kind === "closed") return event?.kind ?? [];
      if (event.kind === "lost") return event.why;
      const { source, destination, protocol, port } = event.connection;
      const what = event.kind === "forged" ? "forged" : `${event.verdict} ${event.direction}`;
      return `${what} ${event.identity} ${source} ${destination} ${port}/${protocol}`;
    });

describe("what a monitor printed", () => {
  it("on real machines: verdicts, and forged sources; nothing twice, and nothing of other drops", () => {
    const refused = "denied in 36880 10.42.3.151 10.42.2.37 8080/tcp";
    expect(events("monitor-live.txt")).toEqual([
      refused,
      refused,
      "seen in 8061 10.42.1.61 10.42.2.37 8080/tcp",
      "denied in 8061 10.42.1.61 10.42.2.37 9090/tcp",
      "denied in 8061 10.42.1.61 10.42.2.37 9090/tcp",
      "forged 8061 10.42.1.37 10.42.2.37 8080/tcp",
    ]);
  });

  it("of every kind of event", () => {
    expect(events("monitor-fed.txt")).toEqual([
      "seen in 36880 10.42.1.61 10.42.2.5 8080/tcp",
      "denied in 36880 10.42.1.61 10.42.2.5 9090/tcp",
      "denied out 2 10.42.2.5 198.51.100.7 443/tcp",
      "seen out 1 10.42.2.5 10.77.0.12 53/udp",
      "denied in 33554437 10.77.0.11 10.42.2.5 0/icmp",
      "audited in 33554437 10.77.0.11 10.42.2.5 8080/tcp",
      // sctp is not counted; of a packet that could not be taken apart the event is missing
      "an event could not be read",
      "forged 8061 10.42.1.99 10.42.2.5 9090/tcp",
      "17 events were lost",
      "closed",
      "closed",
    ]);
  });

  it("in a form that is not known is an event that is missing, not nothing", () => {
    const line = "Policy verdict log: flow 0x1 local EP ID 588, remote ID 36880, proto 6, ingress, action ";
    const rest = ", auth: disabled, match none, 10.42.1.61:1 -> 10.42.2.5:80 tcp SYN";
    expect(parseMonitorLine(`${line}deny${rest}`)).toMatchObject({ kind: "verdict" });
    for (const other of [
      `${line}perhaps${rest}`,
      `${line}deny, match none, 10.42.1.61`,
      line,
      `${line}deny${rest.replace("10.42.1.61:1", "web:1")}`,
      '{"reason":"Invalid source ip","summary":',
      '{"reason":"Invalid source ip","srcLabel":8061}',
      // of another version
      '{"type":"policy-verdict","summary":{}}',
      "Error while parsing policy notification message: unexpected PolicyVerdictNotify data length",
      "CPU 01: Unknown event: [7 1]",
      // a datagram in fragments: of a flow that is opened so the ports are not told
      `${line.replace("proto 6", "proto 17")}allow, auth: disabled, match none, 10.42.1.61 -> 10.42.2.5`,
      '{"type":"drop","reason":"Invalid source ip","srcLabel":8061,"summary":{"ipv4":"IPv4\t{Protocol=UDP}","l3":{"src":"10.42.1.99","dst":"10.42.2.5"}}}',
    ])
      expect([other, parseMonitorLine(other)?.kind]).toEqual([other, "lost"]);
  });
});
