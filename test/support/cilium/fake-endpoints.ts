// In: calls about endpoints and addresses, as a Cilium agent of 1.18.10 takes them. Out: what it answers, by what was recorded
// (fixtures/cilium-1.18.10/calls.json) and seen; "hangs" where it answered nothing.
import { z } from "zod";
import { byText } from "../../../packages/shared/src/plan/text-order.ts";

const changeSchema = z.object({
  state: z.string().optional(),
  "container-id": z.string().optional(),
  "container-interface-name": z.string().optional(),
  "interface-name": z.string().optional(),
  "interface-index": z.number().optional(),
  mac: z.string().optional(),
  "host-mac": z.string().optional(),
  addressing: z.object({ ipv4: z.string() }).optional(),
  labels: z.array(z.string()).optional(),
});

const recordedSchema = z.object({
  id: z.number(),
  status: z.object({
    "external-identifiers": z.object({ "container-id": z.string().optional() }),
    identity: z.object({ id: z.number() }),
    labels: z.object({ "security-relevant": z.array(z.string()) }),
    networking: z.object({
      addressing: z.array(z.object({ ipv4: z.string().optional() })),
      "interface-name": z.string(),
      "interface-index": z.number(),
      mac: z.string(),
      "host-mac": z.string(),
    }),
  }),
});

export interface Answer {
  readonly status: number;
  readonly body: unknown;
}

interface FakeEndpoint {
  readonly id: number;
  readonly owner: string | undefined;
  readonly address: string | undefined;
  readonly link: string;
  readonly index: number;
  readonly mac: string;
  readonly hostMac: string;
  labels: readonly string[];
  identityLabels: readonly string[];
  /** When the labels are in force. */
  relabelledAt: number;
  readyAt: number;
  state: string;
  realised: number;
}

const graceMs = 5_150;
const empty = { status: 404, body: "" };
const sorted = (labels: readonly string[]) => [...labels].sort(byText);

export class FakeEndpoints {
  readonly all = new Map<string, FakeEndpoint>();
  /** Address -> owner. */
  readonly claims = new Map<string, string>();
  readonly #identities = new Map<string, number>();
  readonly #now: () => number;
  #nextId = 2000;
  /** From the answer to a PUT until it is ready. */
  buildMs = 0;
  /** A PUT is never answered: no such interface, or no etcd. */
  hangs = false;
  hasStore = true;
  /** Links that are gone: seen at the next start alone. */
  readonly lostLinks = new Set<string>();

  constructor(now: () => number, recorded: string) {
    this.#now = now;
    for (const { id, status } of z.array(recordedSchema).parse(JSON.parse(recorded))) {
      const { networking, labels, identity } = status;
      const [{ ipv4: address } = {}] = networking.addressing;
      const own = labels["security-relevant"];
      this.#identities.set(sorted(own).join(";"), identity.id);
      const owner = status["external-identifiers"]["container-id"];
      this.all.set(owner ?? own.join(), {
        id,
        owner,
        address,
        link: networking["interface-name"],
        index: networking["interface-index"],
        mac: networking.mac,
        hostMac: networking["host-mac"],
        labels: own,
        identityLabels: own,
        relabelledAt: 0,
        readyAt: 0,
        state: "ready",
        realised: 1,
      });
      if (address !== undefined) this.claims.set(address, owner ?? "health");
    }
  }

  call(method: string, path: string, body: unknown): Answer | "hangs" {
    const url = new URL(path, "http://localhost");
    const [, kind, ...rest] = decodeURIComponent(url.pathname).replace(/^\/v1/, "").split("/");
    const ref = rest.join("/");
    if (kind === "ipam") return this.#ipam(method, ref, url.searchParams);
    if (method === "PUT") return this.#put(changeSchema.parse(body));
    const [key, endpoint] = this.#find(ref) ?? [];
    if (key === undefined || endpoint === undefined) return empty;
    if (method === "GET") return { status: 200, body: this.shown(endpoint) };
    if (method === "DELETE") {
      this.drop(key);
      return { status: 200, body: "" };
    }
    return this.#patch(endpoint, changeSchema.parse(body));
  }

  list(): unknown[] {
    return [...this.all.values()].map((each) => this.shown(each));
  }

  /** Its address is free then. */
  drop(key: string): void {
    const address = this.all.get(key)?.address;
    this.all.delete(key);
    if (address !== undefined) this.claims.delete(address);
  }

  /** The client has gone away: the endpoint is rolled back, and its address stays taken. */
  rollBack(owner: string): void {
    this.all.delete(owner);
  }

  /** What has no link any more is not restored; claims without an endpoint are forgotten. */
  restart(): void {
    for (const [key, { link }] of this.all) if (this.lostLinks.has(link)) this.all.delete(key);
    this.claims.clear();
    for (const { address, owner } of this.all.values())
      if (address !== undefined) this.claims.set(address, owner === undefined ? "health" : "/ [restored]");
  }

  realise(revision: number): void {
    for (const each of this.all.values()) each.realised = revision;
  }

  #find(ref: string): [string, FakeEndpoint] | undefined {
    const [kind, ...rest] = ref.split(":");
    const name = rest.join(":");
    return [...this.all].find(
      ([, { owner, address, id }]) =>
        (kind === "container-id" && owner === name) ||
        (kind === "cni-attachment-id" && `${owner}:eth0` === name) ||
        (kind === "ipv4" && address === name) ||
        (kind === "cilium-local" && String(id) === name),
    );
  }

  #ipam(method: string, ip: string, query: URLSearchParams): Answer {
    const [owner, pool] = [query.get("owner"), query.get("pool")];
    const failed = (body: string) => ({ status: 500, body });
    if (method === "POST") {
      if (pool === null)
        return failed(`unable to restore IP ${ip} for "${owner}": pool name must be provided`);
      if (!ip.startsWith("10.42.1.")) return failed("provided IP is not in the valid range");
      if (this.claims.has(ip)) return failed("provided IP is already allocated");
      this.claims.set(ip, owner ?? "");
      return { status: 200, body: "" };
    }
    if ([...this.all.values()].some(({ address }) => address === ip))
      return failed(`IP is in use by endpoint ${this.#find(`ipv4:${ip}`)?.[1].id}`);
    if (pool === null) return failed(`no IPAM pool provided for IP release of ${ip}`);
    this.claims.delete(ip);
    return { status: 200, body: "" };
  }

  #put(wish: z.infer<typeof changeSchema>): Answer | "hangs" {
    const refused = (body: string) => ({ status: 400, body });
    if (wish.state === undefined) return noState;
    const [owner, address] = [wish["container-id"] ?? "", wish.addressing?.ipv4 ?? ""];
    const labels = wish.labels ?? [];
    if (this.all.has(owner)) return refused(`endpoint for CNI attachment ID ${owner}:eth0 already exists`);
    if (this.#find(`ipv4:${address}`) !== undefined) return refused(`IP ipv4:${address} is already in use`);
    const reserved = labels.filter((label) => label.startsWith("reserved:"));
    if (reserved.length > 0) return refused(`not allowed to add reserved labels: [${reserved.join(" ")}]`);
    const valid = labels.filter((label) => !/^k8s:io\.kubernetes\.(?!pod\.namespace=)/.test(label));
    if (valid.length === 0) return refused("no valid labels provided");
    const endpoint: FakeEndpoint = {
      id: this.#nextId++,
      owner,
      address,
      link: wish["interface-name"] ?? "",
      index: wish["interface-index"] ?? 0,
      mac: wish.mac ?? "",
      hostMac: wish["host-mac"] ?? "",
      labels: valid,
      identityLabels: valid,
      relabelledAt: 0,
      readyAt: this.#now() + this.buildMs,
      state: "regenerating",
      realised: 0,
    };
    this.all.set(owner, endpoint);
    if (!this.hangs && this.hasStore) return { status: 201, body: this.shown(endpoint) };
    endpoint.readyAt = Number.POSITIVE_INFINITY;
    endpoint.state = "waiting-for-identity";
    return "hangs";
  }

  #patch(endpoint: FakeEndpoint, wish: z.infer<typeof changeSchema>): Answer {
    if (wish.state === undefined) return noState;
    endpoint.labels = wish.labels ?? [];
    // a new identity is had of etcd
    endpoint.relabelledAt = this.hasStore ? this.#now() + graceMs : Number.POSITIVE_INFINITY;
    return { status: 200, body: "" };
  }

  shown(endpoint: FakeEndpoint): unknown {
    if (this.#now() >= endpoint.readyAt) endpoint.state = "ready";
    if (this.#now() >= endpoint.relabelledAt) endpoint.identityLabels = endpoint.labels;
    const own = sorted(endpoint.identityLabels).join(";");
    const identity = this.#identities.get(own) ?? 8000 + this.#identities.size;
    this.#identities.set(own, identity);
    const { id, owner, address } = endpoint;
    return {
      id,
      status: {
        "external-identifiers":
          owner === undefined
            ? { "pod-name": "/" }
            : { "cni-attachment-id": `${owner}:eth0`, "container-id": owner, "pod-name": "/" },
        identity: { id: identity, labels: endpoint.identityLabels },
        labels: { realized: {}, "security-relevant": sorted(endpoint.labels) },
        networking: {
          addressing: [address === undefined ? {} : { ipv4: address, "ipv4-pool-name": "default" }],
          "host-mac": endpoint.hostMac,
          "interface-index": endpoint.index,
          "interface-name": endpoint.link,
          mac: endpoint.mac,
        },
        policy: { realized: { "policy-revision": endpoint.realised } },
        state: endpoint.state,
      },
    };
  }
}

const noState = { status: 422, body: { code: 602, message: "state in body is required" } };
