// In: an address and a TCP port. Out: what becomes of one connection to it. It is closed at once, and no byte is sent.
import { connect } from "node:net";
import { errnoOf } from "@weft/shared/errors/system";
import { type DialResult, dialWithinMs } from "@weft/shared/model/dial";

/** Never rejects: what fails is what was asked for. */
export function dialOnce(address: string, port: number, withinMs = dialWithinMs): Promise<DialResult> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port });
    const finish = (result: DialResult) => {
      clearTimeout(late);
      socket.removeAllListeners();
      // a late error of a closed socket has nobody left to tell
      socket.on("error", () => {});
      socket.destroy();
      resolve(result);
    };
    const late = setTimeout(() => finish({ outcome: "unanswered", errno: "" }), withinMs);
    socket.once("connect", () => finish({ outcome: "accepted", errno: "" }));
    socket.once("error", (failure) => finish(resultOf(errnoOf(failure) ?? "EIO")));
  });
}

export function resultOf(errno: string): DialResult {
  if (errno === "ECONNREFUSED" || errno === "ECONNRESET") return { outcome: "refused", errno };
  // the kernel gave up before we did
  if (errno === "ETIMEDOUT") return { outcome: "unanswered", errno: "" };
  return { outcome: "unreachable", errno };
}
