// In: the settings that a member was started from, as they are on disk. Out: how it began and whether its port for clients was
// open: neither is ever forgotten by an agent that starts anew. Pure.
import { messageOf, WeftError } from "@weft/shared/errors/weft-error";
import { etcdPlaces } from "@weft/shared/render/etcd-places";
import type { EtcdBeginning } from "@weft/shared/render/etcd-settings";

export interface KeptSettings {
  readonly beginning: EtcdBeginning;
  readonly isOpen: boolean;
  readonly ownPeerUrl: string;
}

/** @throws WEFT-E003 for settings that Weft has not written */
export function readKeptSettings(text: string): KeptSettings {
  const fields = fieldsOf(text);
  const field = (name: string): string => {
    const value = fields.get(name);
    if (typeof value === "string") return value;
    throw damaged(`it has no ${name}`);
  };
  const members = field("initial-cluster")
    .split(",")
    .map((each) => {
      const [name = "", peerUrl = ""] = each.split("=");
      if (name === "" || peerUrl === "") throw damaged("its initial-cluster cannot be read");
      return { name, peerUrl };
    });
  return {
    beginning: { members, isNew: field("initial-cluster-state") === "new" },
    isOpen: field("listen-client-urls").includes(","),
    ownPeerUrl: field("initial-advertise-peer-urls"),
  };
}

function fieldsOf(text: string): ReadonlyMap<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return new Map(typeof value === "object" && value !== null ? Object.entries(value) : []);
  } catch (cause) {
    throw damaged(messageOf(cause), cause);
  }
}

function damaged(why: string, cause?: unknown): WeftError {
  return new WeftError("WEFT-E003", `${etcdPlaces.settings} is damaged`, {
    why,
    hint: "take this node out of cilium.etcd.nodes, apply, and put it back",
    cause,
  });
}
