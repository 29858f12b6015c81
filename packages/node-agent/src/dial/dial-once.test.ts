// Real connections over the loopback: what the kernel says is what is told.
import { createServer, type Server, type Socket } from "node:net";
import { afterEach, describe, expect, it } from "@jest/globals";
import { dialOnce, resultOf } from "./dial-once.ts";

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

async function listen(onConnection: (socket: Socket) => void): Promise<number> {
  const server = createServer(onConnection);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("no port");
  return address.port;
}

describe("one connection", () => {
  it("to a listener is accepted, sends no byte and is closed at once", async () => {
    const closed = new Promise<number>((resolve) => {
      listening = listen((socket) => {
        let bytes = 0;
        socket.on("data", (chunk) => {
          bytes += chunk.length;
        });
        socket.on("error", () => {});
        socket.on("close", () => resolve(bytes));
        socket.resume();
      });
    });
    expect(await dialOnce("127.0.0.1", await listening)).toEqual({ outcome: "accepted", errno: "" });
    expect(await closed).toBe(0);
  });

  it("to a listener that greets first is accepted all the same", async () => {
    const port = await listen((socket) => {
      socket.on("error", () => {});
      socket.end("220 hello\r\n");
    });
    expect(await dialOnce("127.0.0.1", port)).toMatchObject({ outcome: "accepted" });
  });

  it("to where nobody listens is refused", async () => {
    const port = await listen(() => {});
    await new Promise((resolve) => servers.splice(0)[0]?.close(resolve));
    expect(await dialOnce("127.0.0.1", port)).toEqual({ outcome: "refused", errno: "ECONNREFUSED" });
  });

  it("to where the machine cannot go is unreachable, by the kernel's own word", async () => {
    const { outcome, errno } = await dialOnce("255.255.255.255", 9, 500);
    expect(outcome).toBe("unreachable");
    expect(errno).toMatch(/^E[A-Z]+$/);
  });

  it("that the kernel gives up is unanswered, and a reset is a refusal", () => {
    expect(resultOf("ETIMEDOUT")).toEqual({ outcome: "unanswered", errno: "" });
    expect(resultOf("ECONNRESET")).toEqual({ outcome: "refused", errno: "ECONNRESET" });
    expect(resultOf("EHOSTUNREACH")).toEqual({ outcome: "unreachable", errno: "EHOSTUNREACH" });
  });

  it("that nobody answers in time is unanswered", async () => {
    // no time at all: the timer is due before the kernel's answer is read
    const port = await listen(() => {});
    const dialled = dialOnce("127.0.0.1", port, 0);
    const until = performance.now() + 20;
    while (performance.now() < until);
    expect(await dialled).toEqual({ outcome: "unanswered", errno: "" });
  });
});

let listening: Promise<number>;
