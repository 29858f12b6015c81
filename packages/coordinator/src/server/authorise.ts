// In: a call on the agents' port. Out: the enrolled node that makes it, or a refusal. Decided anew for every call, by
// exact SPIFFE ID and by what the store says of the node now.
import { WeftError } from "@weft/shared/errors/weft-error";
import { isLabel } from "@weft/shared/model/ids";
import { readCertificate } from "@weft/shared/spiffe/certificate";
import type { AuthenticatedCall } from "@weft/shared/spiffe/grpc-credentials";
import { formatSpiffeId } from "@weft/shared/spiffe/spiffe-id";
import { checkLeaf } from "@weft/shared/spiffe/x509-svid";
import type { NodeRecord } from "../store/records.ts";
import type { NodeTable } from "../store/store.ts";

export interface Caller {
  readonly node: NodeRecord;
  /** Nothing the caller opened may outlive its certificate. */
  readonly notAfter: Date;
}

const nodePath = /^\/weft\/node\/([^/]+)$/;

export class NodeGate {
  readonly #trustDomain: string;
  readonly #nodes: NodeTable;
  readonly #now: () => Date;

  constructor(trustDomain: string, nodes: NodeTable, now: () => Date) {
    this.#trustDomain = trustDomain;
    this.#nodes = nodes;
    this.#now = now;
  }

  /** WEFT-E203 for a wrong identity; WEFT-E204 for a node that is no member any more, which should be told so. */
  admit(call: AuthenticatedCall): Caller {
    const raw = call.getAuthContext()?.sslPeerCertificate?.raw;
    if (raw === undefined) throw new WeftError("WEFT-E202", "the caller showed no certificate");
    const leaf = readCertificate(raw);
    const id = checkLeaf(leaf);
    const name = id.trustDomain === this.#trustDomain ? nodePath.exec(id.path)?.[1] : undefined;
    if (name === undefined || !isLabel(name))
      throw new WeftError("WEFT-E203", `${formatSpiffeId(id)} is no node of this mesh`);
    if (leaf.notAfter <= this.#now())
      throw new WeftError("WEFT-E202", "the caller's certificate has expired");
    const node = this.#nodes.get(name);
    if (node === undefined) throw new WeftError("WEFT-E203", `the node ${name} has not joined`);
    if (node.state !== "joining" && node.state !== "enrolled")
      throw new WeftError("WEFT-E204", `the node ${name} is ${node.state}`);
    if (leaf.notBefore < node.svidNotBefore)
      throw new WeftError("WEFT-E204", `another machine has joined as ${name} since`);
    return { node, notAfter: leaf.notAfter };
  }
}
