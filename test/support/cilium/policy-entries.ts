// In: entries of a policy map, in words. Out: what `cilium-dbg bpf policy get ID -o json` of 1.18.10, or of 1.19, prints of them, by the types
// of its source (pkg/maps/policymap: numbers throughout, the port in network order; a count that is not known is 2^64-1).

export interface EntryWords {
  readonly direction?: "ingress" | "egress";
  readonly identity?: number;
  /** As in an IP header; undefined: any. */
  readonly protocol?: number;
  readonly port?: number;
  /** Of the port that are compared. */
  readonly portBits?: number;
  readonly denies?: boolean;
  readonly proxyPort?: number;
  readonly auth?: number;
  /** Of 1.19 alone. */
  readonly precedence?: number;
}

export function policyMapText(entries: readonly EntryWords[]): string {
  const parts = entries.map((entry) => {
    const { direction = "ingress", identity = 0, protocol, port, portBits = 16, denies = false } = entry;
    const bits = protocol === undefined ? 0 : port === undefined ? 8 : 8 + portBits;
    return `  {
    "ProxyPortNetwork": ${entry.proxyPort ?? 0},
    "Flags": ${(bits << 3) | (denies ? 1 : 0)},
    "AuthRequirement": ${entry.auth ?? 0},
    ${
      entry.precedence === undefined
        ? '"ProxyPortPriority": 0,\n    "Pad1": 0,\n    "Pad2": 0,'
        : `"Precedence": ${entry.precedence},\n    "Cookie": 0,`
    }
    "Packets": 18446744073709551615,
    "Bytes": 18446744073709551615,
    "Key": {
      "Prefixlen": ${40 + bits},
      "Identity": ${identity},
      "TrafficDirection": ${direction === "ingress" ? 0 : 1},
      "Nexthdr": ${protocol ?? 0},
      "DestPortNetwork": ${Buffer.from(Uint16Array.of(port ?? 0).buffer).readUInt16BE()}
    }
  }`;
  });
  return `[\n${parts.join(",\n")}\n]\n\n`;
}
