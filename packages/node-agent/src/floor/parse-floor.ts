// In: the text of a floor file. Out: the floor, or every problem with it; never a part of one. Pure, and loaded only
// where there is a file: the YAML library costs the agent 3 MiB and 13 ms.
import { messageOf } from "@weft/shared/errors/weft-error";
import {
  addressForm,
  cidrForm,
  portForm,
  type TextForm,
  unitForm,
  userForm,
} from "@weft/shared/model/text-forms";
import { isAlias, isNode, isScalar, LineCounter, parseDocument, visit } from "yaml";
import type { Floor } from "./floor.ts";
import { FloorReader, type Part } from "./floor-reader.ts";

export type FloorReading =
  | { readonly floor: Floor; readonly problems: readonly [] }
  | { readonly floor: undefined; readonly problems: readonly string[] };

/** A floor is a page. */
export const largestFloor = 64 * 1024;

const zoneForm: TextForm<string> = {
  what: "zone",
  allowed: "a domain name of two or more labels, such as mesh.internal",
  pattern: "",
  parse: (text) =>
    text.length <= 253 &&
    /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)+$/.test(text)
      ? text
      : undefined,
  near: (text) => (zoneForm.parse(text.toLowerCase()) === undefined ? undefined : text.toLowerCase()),
};

const topKeys = [
  "weft-floor",
  "nodes",
  "users",
  "units",
  "ingress",
  "egress",
  "forward",
  "dns",
  "guard",
  "coordinator",
  "cilium",
  "etcd",
  "mode",
  "boot",
];

/** @param file its name, for the problems */
export function parseFloor(file: string, text: string): FloorReading {
  const lines = new LineCounter();
  const reader = new FloorReader(file, lines);
  const refused = (): FloorReading => ({ floor: undefined, problems: reader.problems });
  if (text.length > largestFloor) {
    reader.refuse(0, "the file is too large", { allowed: "at most 64 KiB" });
    return refused();
  }
  try {
    const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, logLevel: "error" });
    for (const { pos, message } of [...document.errors, ...document.warnings])
      reader.refuse(pos[0], message.split("\n")[0] ?? message);
    if (reader.problems.length > 0) return refused();
    visit(document, {
      Node(_key, node) {
        if (isAlias(node) || node.anchor !== undefined || node.tag?.startsWith("!") === true)
          reader.refuse(node.range?.[0] ?? 0, "anchors, aliases and tags are not taken here", {
            allowed: "every value written out",
          });
      },
    });
    const { contents } = document;
    const root: Part = { line: 1, path: "", node: isNode(contents) ? contents : null, offset: 0 };
    if (root.node === null || (isScalar(root.node) && root.node.value === null)) {
      reader.refuse(0, "the file is empty", { allowed: "a floor, beginning with: weft-floor: v1" });
      return refused();
    }
    const floor = read(reader, root);
    return reader.problems.length === 0 ? { floor, problems: [] } : refused();
  } catch (failure) {
    reader.refuse(0, `the file cannot be read as YAML: ${messageOf(failure)}`);
    return refused();
  }
}

function read(reader: FloorReader, root: Part): Floor {
  const top = reader.map(root, topKeys);
  const version = top.get("weft-floor");
  if (version === undefined)
    reader.refuse(0, "the file does not say which form it has", { allowed: "weft-floor: v1" });
  else reader.word(version, "v1");
  const ingress = reader.map(top.get("ingress"), ["never", "judged", "undeclared", "from"]);
  const egress = reader.map(top.get("egress"), ["never", "to", "default"]);
  const forward = reader.map(top.get("forward"), ["from"]);
  const dns = reader.map(top.get("dns"), ["zones", "upstreams", "takeOver"]);
  const guard = reader.map(top.get("guard"), ["admin", "ports", "atMost"]);
  const atMost = reader.map(guard.get("atMost"), ["admin", "ports"]);
  const coordinator = reader.map(top.get("coordinator"), ["addresses", "here"]);
  if (guard.has("admin") !== guard.has("ports"))
    reader.refuse(top.get("guard")?.offset ?? 0, "guard.admin and guard.ports belong together", {
      allowed: "both: who is always let in, and where to",
    });
  return {
    nodes: reader.list(top.get("nodes"), cidrForm),
    users: reader.list(top.get("users"), userForm),
    units: reader.list(top.get("units"), unitForm),
    ingress: {
      never: reader.list(ingress.get("never"), portForm),
      judged: reader.list(ingress.get("judged"), portForm),
      closed: reader.word(ingress.get("undeclared"), "closed", ["open"]),
      from: reader.list(ingress.get("from"), cidrForm),
    },
    egress: {
      never: reader.list(egress.get("never"), cidrForm),
      to: reader.list(egress.get("to"), cidrForm),
      deny: reader.word(egress.get("default"), "deny", ["allow"]),
    },
    forward: { from: reader.list(forward.get("from"), cidrForm) },
    dns: {
      zones: reader.list(dns.get("zones"), zoneForm),
      upstreams: reader.list(dns.get("upstreams"), addressForm),
      leaveAlone: reader.word(dns.get("takeOver"), "never", ["allowed"]),
    },
    guard: {
      admin: reader.list(guard.get("admin"), cidrForm),
      ports: reader.list(guard.get("ports"), portForm),
      atMostAdmin: reader.list(atMost.get("admin"), cidrForm),
      atMostPorts: reader.list(atMost.get("ports"), portForm),
    },
    coordinator: {
      addresses: reader.list(coordinator.get("addresses"), addressForm),
      here: reader.list(coordinator.get("here"), portForm),
    },
    cilium: reader.yesOrNo(top.get("cilium")),
    etcd: reader.yesOrNo(top.get("etcd")),
    enforce: reader.word(top.get("mode"), "enforce"),
    guardsOnlyBoot: reader.word(top.get("boot"), "guards-only"),
  };
}
