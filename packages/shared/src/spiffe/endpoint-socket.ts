// In: the address of a SPIFFE Workload API, as in SPIFFE_ENDPOINT_SOCKET. Out: the target that gRPC dials, or
// WEFT-E003. Pure. By the SPIFFE Workload Endpoint standard: unix:///absolute/path or tcp://IP:port, nothing else.
import { isIPv4, isIPv6 } from "node:net";
import { WeftError } from "../errors/weft-error.ts";

export type EndpointSocket =
  | { readonly kind: "unix"; readonly path: string }
  | { readonly kind: "tcp"; readonly ip: string; readonly port: number };

/** What sun_path of the kernel holds, without its closing NUL. */
const maxSocketPath = 107;

function invalid(text: string, why: string): WeftError {
  return new WeftError("WEFT-E003", `${JSON.stringify(text)} is not the address of a Workload API`, {
    why,
    hint: "Write unix:///absolute/path or tcp://IP:port.",
  });
}

function parseUnix(text: string, rest: string): EndpointSocket {
  const path = rest.startsWith("//") ? rest.slice(2) : rest;
  if (!path.startsWith("/")) throw invalid(text, "A unix address has an absolute path and no host.");
  // No percent-encoding: a path that would need it is refused, so that it cannot mean two things.
  if (!/^[A-Za-z0-9/._~!$&'()*+,;=:@-]+$/.test(path))
    throw invalid(text, "The path has characters that do not belong there.");
  if (path.length > maxSocketPath) throw invalid(text, `The path is longer than ${maxSocketPath} bytes.`);
  return { kind: "unix", path };
}

function parseTcp(text: string, rest: string): EndpointSocket {
  const match = /^\/\/(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+)):([0-9]{1,5})$/.exec(rest);
  const [, ip6 = "", ip4 = "", port = ""] = match ?? [];
  const ip = ip6 === "" ? ip4 : ip6;
  if (!(isIPv6(ip6) || isIPv4(ip4)))
    throw invalid(text, "A tcp address is an IP address and a port, and nothing else.");
  if (Number(port) < 1 || Number(port) > 65_535) throw invalid(text, "The port is out of range.");
  return { kind: "tcp", ip, port: Number(port) };
}

export function parseEndpointSocket(text: string): EndpointSocket {
  const colon = text.indexOf(":");
  const rest = text.slice(colon + 1);
  switch (text.slice(0, Math.max(colon, 0))) {
    case "unix":
      return parseUnix(text, rest);
    case "tcp":
      return parseTcp(text, rest);
    default:
      throw invalid(text, "Its scheme is neither unix nor tcp.");
  }
}

/** The address in grpc-js's own naming. */
export function grpcTarget(socket: EndpointSocket): string {
  if (socket.kind === "unix") return `unix://${socket.path}`;
  return isIPv6(socket.ip) ? `ipv6:[${socket.ip}]:${socket.port}` : `ipv4:${socket.ip}:${socket.port}`;
}
