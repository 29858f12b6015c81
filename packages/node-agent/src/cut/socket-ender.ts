// In: sockets by their exact ends. Out: the kernel asked to end them (`ss -K`): each of both ends is told by a reset. It
// exits 0 whatever came of it, and where the kernel cannot, it says nothing: look again.
import type { Exec } from "../host/host.ts";
import { type End, type Ends, endText } from "./flow.ts";

/** A filter becomes a program in the kernel, and that is limited to 64 KiB. */
const atOnce = 200;

function clauseOf({ local, peer }: Ends): string {
  const side = (name: string, end: End) => `${name} ${endText(end)}`;
  return `( ${side("src", local)} and ${side("dst", peer)} )`;
}

export async function endSockets(run: Exec["run"], sockets: readonly Ends[]): Promise<void> {
  for (const protocol of ["tcp", "udp"] as const) {
    const clauses = sockets.filter((socket) => socket.protocol === protocol).map(clauseOf);
    for (let start = 0; start < clauses.length; start += atOnce) {
      const filter = clauses.slice(start, start + atOnce).join(" or ");
      await run("ss", ["-K", "-H", "-n", "-a", protocol === "tcp" ? "-t" : "-u", filter], {
        allow: [0, 1, 255],
      });
    }
  }
}
