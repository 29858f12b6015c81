// The files of the private DNS as text, for review. WEFT_UPDATE_GOLDEN=1 writes them anew.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "@jest/globals";
import type { DnsRecord } from "../../packages/shared/src/model/desired.ts";
import { renderCorefile } from "../../packages/shared/src/render/corefile.ts";
import {
  parseResolvConf,
  renderEndpointResolvConf,
  renderResolvConf,
} from "../../packages/shared/src/render/resolv-conf.ts";
import { renderZone } from "../../packages/shared/src/render/zone.ts";

const directory = join(import.meta.dirname, "golden/dns");

const records: readonly DnsRecord[] = [
  { name: "hub.node.mesh.internal", type: "A", value: "10.77.0.10" },
  { name: "web1.node.mesh.internal", type: "A", value: "10.77.0.11" },
  { name: "api1.node.mesh.internal", type: "AAAA", value: "fd77::12" },
  { name: "web.mesh.internal", type: "A", value: "10.77.0.11" },
  { name: "api.mesh.internal", type: "A", value: "10.77.0.13" },
  { name: "api.mesh.internal", type: "A", value: "10.77.0.12" },
  { name: "_http._tcp.api.mesh.internal", type: "SRV", value: "0 0 8080 api1.node.mesh.internal" },
];

const oldResolvConf =
  "# by hand\nnameserver 192.0.2.53\nnameserver 192.0.2.54\nnameserver fd77::53\nsearch corp.example\noptions rotate ndots:2\n";

const endpoints = { address: "10.77.0.11", range: "10.42.1.0/24", upstreams: ["127.0.0.53"] };

describe("golden files of the private DNS", () => {
  it.each([
    ["shop.zone", () => renderZone("mesh.internal", records, 1_795_348_800)],
    ["zone-only.Corefile", () => renderCorefile("mesh.internal", [])],
    ["forwarding.Corefile", () => renderCorefile("mesh.internal", ["192.0.2.53", "fd77::53"])],
    ["endpoints.Corefile", () => renderCorefile("mesh.internal", ["192.0.2.53"], endpoints)],
    ["zone-only-endpoints.Corefile", () => renderCorefile("mesh.internal", [], endpoints)],
    ["endpoints.resolv.conf", () => renderEndpointResolvConf("10.77.0.11", parseResolvConf(oldResolvConf))],
    ["resolv.conf", () => renderResolvConf(parseResolvConf(oldResolvConf))],
  ])("%s", (name, render) => {
    const path = join(directory, name);
    if (process.env["WEFT_UPDATE_GOLDEN"] === "1") writeFileSync(path, render());
    expect(render()).toBe(readFileSync(path, "utf8"));
  });
});
