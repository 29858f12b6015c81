// The table `inet weft` over its life in a real kernel: changes under traffic, full sets, guards, what is
// read back, and what is left when it goes.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "@jest/globals";
import { digestOf } from "../../packages/shared/src/plan/canonical.ts";
import {
  parseKernelRevision,
  renderGuardsOnly,
  renderRemoval,
  renderTracking,
  rulesetFingerprint,
} from "../../packages/shared/src/render/nftables.ts";
import { compile, PolicyNet } from "../support/policy-net.ts";

const lab = new PolicyNet();
const { net, address, user } = lab;
const webToApi = "policies:\n  - { name: web-to-api, from: [web], to: api }\n";
const nobody = "policies: []\n";
const guard = "guard: { admin: [10.77.0.64/27], ports: [22/tcp] }\n";

beforeAll(() => lab.up(), 300_000);
afterAll(() => net.down());
beforeEach(() => lab.clear());

const listing = (host: string) => net.run(host, ["nft", "-j", "list", "table", "inet", "weft"]);

/** Fills a set to its last element, as a patient attacker would. */
function fill(host: string, set: string, element: (index: number) => string): void {
  const all = Array.from({ length: 65_536 }, (_, index) => element(index));
  net.nft(host, `flush set inet weft ${set}\nadd element inet weft ${set} { ${all.join(", ")} }\n`);
}
const spread = (index: number) => `10.${100 + (index >> 16)}.${(index >> 8) & 255}.${index & 255}`;

describe("a change under traffic", () => {
  it("stops a newly refused client at its next packet, with nobody's help", async () => {
    lab.enforce(webToApi);
    const web = net.as("web1", user.web);
    expect(await web.dialAndKeep("a", address.api1.v4, 8080)).toBe("open");
    expect(await web.ask({ op: "send", keep: "a" })).toBe("open");
    // the receiver's rules alone change: the sender knows nothing of it
    net.nft("api1", lab.script(compile(nobody).get("api1")!));
    expect(await web.ask({ op: "send", keep: "a" })).toBe("silent");
    // not reset: these rules may be armed only, and then it goes on
    lab.enforce(webToApi);
    expect(await web.ask({ op: "send", keep: "a" })).toBe("open");
  });

  it("stops a flow that only the server still feeds", async () => {
    lab.enforce(webToApi);
    const web = net.as("web1", user.web);
    expect(await web.dialAndKeep("b", address.api1.v4, 8080)).toBe("open");
    net.nft("api1", lab.script(compile(nobody).get("api1")!));
    // what conntrack forgot, the server's next packet would bring back with the ends swapped
    net.run("api1", ["conntrack", "-D", "-p", "tcp", "--dport", "8080"]);
    await net.as("api1", user.api).ask({ op: "push" });
    await net.as("api1", user.api).ask({ op: "push" });
    // what the server has sent may arrive; nothing comes back for it, and so nothing follows
    await web.ask({ op: "send", keep: "b" });
    expect(await web.ask({ op: "send", keep: "b" })).toBe("silent");
  });

  it("stops what one service kept open, though another of the same node is still allowed", async () => {
    const both = "policies:\n  - { name: both, from: [web, shop], to: api }\n";
    lab.enforce(both);
    const [web, shop] = [net.as("web1", user.web), net.as("web1", user.shop)];
    expect(await web.dialAndKeep("w", address.api1.v4, 8080)).toBe("open");
    expect(await shop.dialAndKeep("s", address.api1.v4, 8080)).toBe("open");
    lab.enforce(webToApi);
    await net.as("api1", user.api).ask({ op: "push" });
    expect(await shop.ask({ op: "send", keep: "s" })).not.toBe("open");
    expect(await web.ask({ op: "send", keep: "w" })).toBe("open");
  });

  it("stops at once what was opened while there were no rules", async () => {
    const mallory = net.as("web1", user.mallory);
    lab.enforce(webToApi);
    net.nft("web1", renderTracking(compile(webToApi).get("web1")!));
    expect(await mallory.dialAndKeep("m", address.api1.v4, 8080)).toBe("open");
    lab.enforce(webToApi);
    expect(await mallory.ask({ op: "send", keep: "m" })).not.toBe("open");
  });

  it("lets nobody inherit a UDP flow with its source port", async () => {
    lab.enforce(webToApi);
    const flow = { op: "dial", protocol: "udp", host: address.api1.v4, port: 5300, from: 5555 } as const;
    expect(await net.as("web1", user.web).ask(flow)).toBe("open");
    expect(await net.as("web1", user.mallory).ask(flow)).not.toBe("open");
    expect(await net.as("web1", user.web).ask(flow)).toBe("open");
  });

  it("takes nothing from allowed flows, and never lets a refused one through", async () => {
    const contents = lab.enforce(webToApi);
    const web = net.as("web1", user.web);
    const rogue = net.as("rogue", user.root);
    expect(await web.dialAndKeep("c", address.api1.v4, 8080)).toBe("open");
    let busy = true;
    const answers: string[] = [];
    const traffic = (async () => {
      while (busy) {
        answers.push(await web.ask({ op: "send", keep: "c" }));
        answers.push(await web.dial(address.api1.v4, 8080));
      }
    })();
    const refusals: string[] = [];
    const attack = (async () => {
      while (busy)
        refusals.push(await rogue.dial(address.api1.v4, 8080), await rogue.dial(address.api1.v6, 8080));
    })();
    for (let round = 0; round < 40; round++) {
      for (const node of ["api1", "web1"] as const) net.nft(node, lab.script(contents.get(node)!));
      await new Promise((resolve) => setImmediate(resolve));
    }
    busy = false;
    await Promise.all([traffic, attack]);
    expect(answers.length).toBeGreaterThan(20);
    expect(refusals.length).toBeGreaterThan(20);
    expect(new Set(answers)).toEqual(new Set(["open"]));
    expect(new Set(refusals)).toEqual(new Set(["ECONNREFUSED"]));
  });
});

describe("full sets", () => {
  it("of refusals end in the verdict, for both families", async () => {
    lab.enforce(webToApi);
    fill("api1", "denied_in4", (index) => `${spread(index)} . tcp . 8080`);
    fill("api1", "denied_in6", (index) => `fd99::${index.toString(16)} . tcp . 8080`);
    fill("api1", "seen_in4", (index) => `${spread(index)} . tcp . 8080`);
    fill("web1", "denied_out4", (index) => `${spread(index)} . tcp . 8080 . 1`);
    fill("web1", "seen_out4", (index) => `${spread(index)} . tcp . 8080 . 1`);
    expect(await net.as("rogue", user.root).dial(address.api1.v4, 8080)).toBe("ECONNREFUSED");
    expect(await net.as("rogue", user.root).dial(address.api1.v6, 8080)).toBe("ECONNREFUSED");
    expect(await net.as("web1", user.mallory).dial(address.api1.v4, 8080)).toBe("ECONNREFUSED");
    expect(await net.as("web1", user.web).dial(address.api1.v4, 8080)).toBe("open");
    expect(lab.elements("api1", "denied_in4")).not.toContain("10.77.0.66");
  });

  it("of newcomers at the enrolment port refuse newcomers, not nodes", async () => {
    lab.enforce(webToApi);
    fill("hub", "enrolling4", (index) => `${spread(index)} limit rate 10/second burst 20 packets`);
    expect(await net.as("rogue", user.root).dial(address.hub.v4, 7444)).toBe("ECONNREFUSED");
    expect(await net.as("web1", user.root).dial(address.hub.v4, 7444)).toBe("open");
  });
});

describe("guards", () => {
  it("let only nodes to the coordinator and the SPIRE server", async () => {
    lab.enforce(webToApi);
    for (const port of [7443, 8081]) {
      expect(await net.as("web1", user.root).dial(address.hub.v4, port)).toBe("open");
      expect(await net.as("hub", user.root).dial(address.hub.v4, port)).toBe("open");
      expect(await net.as("rogue", user.root).dial(address.hub.v4, port)).toBe("ECONNREFUSED");
      expect(await net.as("rogue", user.root).dial(address.hub.v6, port)).toBe("ECONNREFUSED");
    }
  });

  it("leave enrolment open to strangers at a rate of their own", async () => {
    lab.enforce(webToApi);
    const rogue = net.as("rogue", user.root);
    expect(await rogue.dial(address.hub.v4, 7444)).toBe("open");
    expect(await rogue.dial(address.hub.v6, 7444)).toBe("open");
    const many = await Promise.all(Array.from({ length: 120 }, () => rogue.dial(address.hub.v4, 7444)));
    expect(many).toContain("ECONNREFUSED");
    // neither another source nor a node pays for it
    expect(await rogue.dial(address.hub.v6, 7444)).toBe("open");
    expect(await net.as("web1", user.root).dial(address.hub.v4, 7444)).toBe("open");
  });

  it("keep administrators in, but no node that their range happens to cover", async () => {
    const head = "nodes: { hub: { address: 10.77.0.10 }, web1: { address: 10.77.0.11 } }\n";
    const sshd = "services: { ssh: { nodes: [hub], user: api, ports: { ssh: 22/tcp } } }\n";
    const wide = "guard: { admin: [10.77.0.0/24], ports: [22/tcp] }\n";
    lab.enforce(wide, head + sshd);
    expect(await net.as("rogue", user.root).dial(address.hub.v4, 22)).toBe("open");
    net.nft("web1", renderRemoval());
    expect(await net.as("web1", user.root).dial(address.hub.v4, 22)).toBe("ECONNREFUSED");
    lab.enforce(wide.replace("[10.77.0.0/24]", "[10.77.0.0/24, 10.77.0.11]"), head + sshd);
    net.nft("web1", renderRemoval());
    expect(await net.as("web1", user.root).dial(address.hub.v4, 22)).toBe("open");
  });

  it("alone close every service and keep the ways to repair it", async () => {
    for (const [node, content] of compile(webToApi + guard)) net.nft(node, renderGuardsOnly(content));
    expect(await net.as("web1", user.web).dial(address.api1.v4, 8080)).toBe("ECONNREFUSED");
    expect(await net.as("rogue", user.root).dial(address.api1.v4, 8080)).toBe("ECONNREFUSED");
    expect(await net.as("web1", user.root).dial(address.hub.v4, 7443)).toBe("open");
    expect(await net.as("rogue", user.root).dial(address.hub.v4, 7443)).toBe("ECONNREFUSED");
    expect(await net.as("rogue", user.root).dial(address.hub.v4, 22)).toBe("open");
    expect(parseKernelRevision(listing("api1"))).toBeUndefined();
  });

  it("while tracking refuse nobody anything", async () => {
    for (const [node, content] of compile(`${webToApi}defaults: { egress: deny }\n`))
      net.nft(node, renderTracking(content));
    expect(await net.as("rogue", user.root).dial(address.api1.v4, 8080)).toBe("open");
    expect(await net.as("web1", user.mallory).dial(address.api1.v4, 8080)).toBe("open");
    expect(await net.as("rogue", user.root).dial(address.hub.v4, 7443)).toBe("open");
    expect(parseKernelRevision(listing("api1"))).toBeUndefined();
  });
});

describe("the table", () => {
  it("tells its revision and digest, and where each element comes from", () => {
    const contents = lab.enforce(webToApi);
    const api1 = contents.get("api1")!;
    expect(parseKernelRevision(listing("api1"))).toEqual({ revision: lab.revision, digest: digestOf(api1) });
    expect(parseKernelRevision(net.run("api1", ["nft", "-j", "list", "set", "inet", "weft", "rev"]))).toEqual(
      {
        revision: lab.revision,
        digest: digestOf(api1),
      },
    );
    expect(lab.elements("api1", "in_tcp_allow4")).toContain(
      '8080 . 10.77.0.11 comment "web-to-api mesh.yaml:',
    );
  });

  it("keeps over a change what the kernel recorded, and what is not ours to empty", async () => {
    lab.enforce(webToApi);
    net.nft("api1", "add element inet weft glass_from4 { 192.0.2.0/28 timeout 1h }\n");
    await net.as("rogue", user.root).dial(address.api1.v4, 8080);
    lab.enforce(nobody);
    expect(lab.elements("api1", "denied_in4")).toMatch(/10\.77\.0\.66 \. tcp \. 8080 counter packets 1/);
    expect(lab.elements("api1", "glass_from4")).toContain("192.0.2.0/28 timeout 1h");
    expect(lab.elements("api1", "in_tcp_allow4")).not.toContain("10.77.0.11");
  });

  it("changes as a whole or not at all", async () => {
    const contents = lab.enforce(webToApi);
    const before = rulesetFingerprint(listing("api1"));
    const broken = `${lab.script(compile(nobody).get("api1")!)}add rule inet weft nowhere accept\n`;
    expect(() => net.nft("api1", broken)).toThrow();
    expect(rulesetFingerprint(listing("api1"))).toBe(before);
    expect(parseKernelRevision(listing("api1"))?.digest).toBe(digestOf(contents.get("api1")));
    expect(await net.as("web1", user.web).dial(address.api1.v4, 8080)).toBe("open");
  });

  it("has a fingerprint that traffic and reloading leave alone, and any other hand changes", async () => {
    const contents = lab.enforce(webToApi);
    const script = lab.script(contents.get("api1")!);
    const before = rulesetFingerprint(listing("api1"));
    await net.as("rogue", user.root).dial(address.api1.v4, 8080);
    expect(rulesetFingerprint(listing("api1"))).toBe(before);
    net.nft("api1", script);
    expect(rulesetFingerprint(listing("api1"))).toBe(before);
    const hands = [
      "insert rule inet weft a_judge_in accept",
      "delete element inet weft a_tcp_ports { 8080 }",
      "add element inet weft a_in_tcp_allow4 { 8080 . 10.77.0.66 }",
      "flush chain inet weft a_refuse_in",
      "add chain inet weft input { type filter hook input priority filter; policy drop; }",
      "add chain inet weft extra",
    ];
    for (const hand of hands) {
      net.nft("api1", renderRemoval() + script);
      net.nft("api1", `${hand}\n`);
      expect([hand, rulesetFingerprint(listing("api1")) === before]).toEqual([hand, false]);
    }
  });

  it("comes back over a table somebody else has changed", async () => {
    const contents = lab.enforce(webToApi);
    net.nft(
      "api1",
      "insert rule inet weft a_judge_in accept\nadd element inet weft a_in_tcp_allow4 { 8080 . 10.77.0.66 }\n",
    );
    expect(await net.as("rogue", user.root).dial(address.api1.v4, 8080)).toBe("open");
    net.nft("api1", lab.script(contents.get("api1")!));
    expect(await net.as("rogue", user.root).dial(address.api1.v4, 8080)).toBe("ECONNREFUSED");
  });

  it("goes without a trace, whether it was there or not", () => {
    lab.enforce(webToApi);
    net.nft("hub", renderRemoval());
    net.nft("hub", renderRemoval());
    expect(net.run("hub", ["nft", "list", "ruleset"])).toBe("");
  });
});
