// In: what a node is to be. Out: the digest that names it. Pure, and the same for the order fields were made in.
// Lines of the mesh file are no part of it: a line put in above a policy moves it, and changes nothing on any node. What
// every node is given alike goes in as a digest of its own, so that a thousand nodes do not hash it a thousand times.

import { createHash } from "node:crypto";
import type { DesiredContent } from "../model/desired.ts";
import type { Digest } from "../model/ids.ts";
import { byText } from "./text-order.ts";

export function contentDigest(content: DesiredContent): Digest {
  return new ContentDigests().of(content);
}

/** The same, remembered for values that are the very same: for whoever asks about all nodes of a mesh, again and again. */
export class ContentDigests {
  readonly #whole = new WeakMap<DesiredContent, Digest>();
  readonly #parts = new WeakMap<object, string>();

  of(content: DesiredContent): Digest {
    const known = this.#whole.get(content);
    if (known !== undefined) return known;
    const { mesh, trustDomain, node, address, identity, policy, dns, cilium, etcdCluster } = content;
    const digest = hash({
      mesh,
      trustDomain,
      node,
      address,
      identity,
      policy: { ...policy, mesh: this.#part(policy.mesh) },
      dns: { ...dns, records: this.#part(dns.records) },
      cilium,
      etcdCluster,
    }) as Digest;
    this.#whole.set(content, digest);
    return digest;
  }

  #part(part: object): string {
    const known = this.#parts.get(part) ?? hash(part);
    this.#parts.set(part, known);
    return known;
  }
}

function hash(value: unknown): string {
  return createHash("sha256").update(textOf(value)).digest("hex");
}

/** As canonicalText, without places: many times faster, and only for plain values. */
function textOf(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(textOf).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  const fields: string[] = [];
  for (const key of Object.keys(value).sort(byText)) {
    const field: unknown = (value as Record<string, unknown>)[key];
    if (field === undefined) continue;
    fields.push(`${JSON.stringify(key)}:${key === "origin" ? originText(field) : textOf(field)}`);
  }
  return `{${fields.join(",")}}`;
}

function originText(origin: unknown): string {
  return typeof origin === "object" && origin !== null && "policy" in origin
    ? textOf(origin.policy)
    : textOf(origin);
}
