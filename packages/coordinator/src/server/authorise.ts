// In: a call on the agents' port. Out: the enrolled node that makes it, or a refusal. Decided anew for every call, by
// exact SPIFFE ID and by what the store says of the node now.
import type { ErrorCode } from "@weft/shared/errors/codes";
import { isWeftError, WeftError } from "@weft/shared/errors/weft-error";
import { isLabel } from "@weft/shared/model/ids";
import { type Certificate, readCertificate } from "@weft/shared/spiffe/certificate";
import type { AuthenticatedCall } from "@weft/shared/spiffe/grpc-credentials";
import { formatSpiffeId, type SpiffeId } from "@weft/shared/spiffe/spiffe-id";
import { checkLeaf } from "@weft/shared/spiffe/x509-svid";
import type { NodeRecord } from "../store/records.ts";
import type { NodeTable } from "../store/store.ts";

export interface Caller {
  readonly node: NodeRecord;
  /** Nothing the caller opened may outlive its certificate. */
  readonly notAfter: Date;
}

export interface Verdict {
  readonly caller?: Caller;
  readonly refusal?: WeftError;
  /** Set when the caller is a node that is no member any more, and should be told so. */
  readonly formerly?: NodeRecord;
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

  /** Throws WEFT-E202 or WEFT-E203 for a wrong identity, WEFT-E204 for a node that is no member any more. */
  admit(call: AuthenticatedCall): Caller {
    const { caller, refusal } = this.judge(call);
    if (caller === undefined) throw refusal;
    return caller;
  }

  judge(call: AuthenticatedCall): Verdict {
    const raw = call.getAuthContext()?.sslPeerCertificate?.raw;
    if (raw === undefined) return refuse("WEFT-E202", "the caller showed no certificate");
    let leaf: Certificate;
    let id: SpiffeId;
    try {
      leaf = readCertificate(raw);
      id = checkLeaf(leaf);
    } catch (failure) {
      if (isWeftError(failure)) return { refusal: failure };
      throw failure;
    }
    const name = id.trustDomain === this.#trustDomain ? nodePath.exec(id.path)?.[1] : undefined;
    if (name === undefined || !isLabel(name))
      return refuse("WEFT-E203", `${formatSpiffeId(id)} is no node of this mesh`);
    if (leaf.notAfter <= this.#now()) return refuse("WEFT-E202", "the caller's certificate has expired");
    const node = this.#nodes.get(name);
    if (node === undefined) return refuse("WEFT-E203", `the node ${name} has not joined`);
    if (leaf.notBefore < node.svidNotBefore)
      return refuse("WEFT-E204", `another machine has joined as ${name} since`);
    if (node.state !== "joining" && node.state !== "enrolled")
      return { ...refuse("WEFT-E204", `the node ${name} is ${node.state}`), formerly: node };
    return { caller: { node, notAfter: leaf.notAfter } };
  }
}

function refuse(code: ErrorCode, message: string): { readonly refusal: WeftError } {
  return { refusal: new WeftError(code, message) };
}
