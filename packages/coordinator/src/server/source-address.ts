// In: grpc-js's text for a peer ("10.0.0.1:4711", "[::ffff:10.0.0.1]:4711"). Out: its IP address in its one spelling.
import { normaliseAddress } from "@weft/shared/model/address";

export function sourceAddress(peer: string): string {
  const bracketed = /^\[([^\]]+)\]:\d+$/.exec(peer)?.[1];
  // grpc-js writes IPv6 with or without brackets; the port is behind the last colon either way.
  const host = bracketed ?? peer.replace(/:\d+$/, "");
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(host)?.[1];
  return normaliseAddress(mapped ?? host.replace(/%.*$/, "")) ?? host;
}
