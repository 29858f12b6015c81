// In: /proc/net/tcp, tcp6, udp and udp6. Out: who listens on a port. Pure.
import type { Listener } from "@weft/shared/model/observation";
import { parsePasswd } from "../policy/users.ts";

export interface ListeningSocket {
  readonly address: string;
  readonly uid: number;
}

/** TCP_LISTEN; an unconnected UDP socket is in TCP_CLOSE. */
const listening = { tcp: "0A", udp: "07" } as const;

export interface SocketTables {
  readonly v4: string;
  readonly v6: string;
}

/** @param passwd /etc/passwd */
export function namedListeners(
  protocol: "tcp" | "udp",
  port: number,
  tables: SocketTables,
  passwd: string,
): Listener[] {
  const users = parsePasswd(passwd);
  return parseListeners(protocol, port, tables).map(({ address, uid }) => ({
    address,
    uid,
    user: users.find((entry) => entry.uid === uid)?.name ?? "",
  }));
}

export function parseListeners(
  protocol: "tcp" | "udp",
  port: number,
  tables: SocketTables,
): ListeningSocket[] {
  const wanted = port.toString(16).toUpperCase().padStart(4, "0");
  const found = [tables.v4, tables.v6].flatMap((table) =>
    table
      .split("\n")
      .slice(1)
      .flatMap((line): ListeningSocket[] => {
        const [, local, , state, , , , uid] = line.trim().split(/\s+/);
        const [address = "", localPort] = (local ?? "").split(":");
        if (localPort !== wanted || state !== listening[protocol]) return [];
        return [{ address: addressOf(address), uid: Number(uid) }];
      }),
  );
  const keys = found.map((socket) => `${socket.address} ${socket.uid}`);
  return found.filter((_, index) => keys.indexOf(keys[index] ?? "") === index);
}

/** Words of four bytes, each in the byte order of this machine (x64 and arm64: little endian). */
function addressOf(hex: string): string {
  const bytes = (hex.match(/.{8}/g) ?? []).flatMap((word) => (word.match(/../g) ?? []).reverse());
  const numbers = bytes.map((byte) => Number.parseInt(byte, 16));
  if (numbers.every((byte) => byte === 0)) return numbers.length === 4 ? "0.0.0.0" : "::";
  if (numbers.length === 4) return numbers.join(".");
  const groups = Array.from({ length: 8 }, (_, index) =>
    (((numbers[index * 2] ?? 0) << 8) | (numbers[index * 2 + 1] ?? 0)).toString(16),
  );
  return groups.join(":");
}
