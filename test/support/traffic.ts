// A program: real sockets of one uid, driven by lines of JSON. In: argv[2] is the uid to become for good; one request
// a line. Out: one answer a line. Servers answer whatever they get; a dial is "open" only after its echo came back.
import { createSocket } from "node:dgram";
import { connect, createServer, type Socket } from "node:net";
import { createInterface } from "node:readline";

export interface TrafficRequest {
  readonly op: "listen" | "dial" | "send" | "push" | "closed";
  readonly protocol?: "tcp" | "udp";
  readonly host?: string;
  readonly port?: number;
  /** The port to come from; any, when left away. */
  readonly from?: number;
  /** The uid to dial as; that of the process, when left away. */
  readonly as?: number;
  /** Keeps the connection under this name. */
  readonly keep?: string;
}

const answerMs = 2_000;
const kept = new Map<string, Socket>();
const accepted = new Set<Socket>();

function codeOf(error: unknown): string {
  return typeof error === "object" && error !== null && "code" in error ? String(error.code) : String(error);
}

function listen({ protocol, port, host = "::" }: TrafficRequest): Promise<string> {
  return new Promise((resolve) => {
    if (protocol === "udp") {
      const server = createSocket({ type: "udp6" });
      server.on("message", (message, from) => server.send(message, from.port, from.address));
      server.once("error", (error) => resolve(codeOf(error)));
      server.bind(port, host, () => resolve("listening"));
      return;
    }
    const server = createServer((socket) => {
      accepted.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => accepted.delete(socket));
      socket.pipe(socket);
    });
    server.once("error", (error) => resolve(codeOf(error)));
    server.listen(port, host, () => resolve("listening"));
  });
}

function echo(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    const end = (result: string) => {
      clearTimeout(timer);
      socket.off("data", onData).off("error", onError).off("close", onClose);
      resolve(result);
    };
    const onData = () => end("open");
    const onError = (error: Error) => end(codeOf(error));
    const onClose = () => end("closed");
    const timer = setTimeout(() => end("silent"), answerMs);
    socket.on("data", onData).on("error", onError).on("close", onClose);
    socket.write("ping");
  });
}

async function dialTcp({ host = "", port = 0, keep }: TrafficRequest): Promise<string> {
  const socket = connect({ host, port });
  const result = await new Promise<string>((resolve) => {
    const timer = setTimeout(() => resolve("silent"), answerMs);
    const end = (text: string) => {
      clearTimeout(timer);
      resolve(text);
    };
    socket.once("connect", () => end("connected"));
    socket.once("error", (error) => end(codeOf(error)));
  });
  const answer = result === "connected" ? await echo(socket) : result;
  if (keep === undefined) socket.destroy();
  else {
    socket.on("error", () => {});
    kept.set(keep, socket);
  }
  return answer;
}

function dialUdp({ host = "", port = 0, from = 0 }: TrafficRequest): Promise<string> {
  return new Promise((resolve) => {
    const socket = createSocket(host.includes(":") ? "udp6" : "udp4");
    const end = (text: string) => {
      clearTimeout(timer);
      socket.close();
      resolve(text);
    };
    const timer = setTimeout(() => end("silent"), answerMs);
    socket.once("message", () => end("open"));
    socket.once("error", (error) => end(codeOf(error)));
    socket.bind(from, () =>
      socket.connect(port, host, () => socket.send("ping", (error) => error !== null && end(codeOf(error)))),
    );
  });
}

function closed(name: string): Promise<string> {
  const socket = kept.get(name);
  if (socket === undefined || socket.destroyed) return Promise.resolve("closed");
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve("still open"), answerMs);
    socket.once("close", () => {
      clearTimeout(timer);
      resolve("closed");
    });
  });
}

/** A socket belongs to whoever makes it, and one request is answered after the other. */
async function answer(request: TrafficRequest): Promise<string> {
  if (request.as === undefined) return await answerAsOneself(request);
  process.seteuid?.(request.as);
  try {
    return await answerAsOneself(request);
  } finally {
    process.seteuid?.(0);
  }
}

async function answerAsOneself(request: TrafficRequest): Promise<string> {
  switch (request.op) {
    case "listen":
      return await listen(request);
    case "dial":
      return request.protocol === "udp" ? await dialUdp(request) : await dialTcp(request);
    case "send": {
      const socket = kept.get(request.keep ?? "");
      return socket === undefined || socket.destroyed ? "closed" : await echo(socket);
    }
    case "push":
      for (const socket of accepted) socket.write("push");
      return `pushed to ${accepted.size}`;
    case "closed":
      return await closed(request.keep ?? "");
  }
}

if (import.meta.main) {
  const uid = Number(process.argv[2] ?? "0");
  process.setgroups?.([]);
  process.setgid?.(uid);
  process.setuid?.(uid);
  let last = Promise.resolve();
  createInterface({ input: process.stdin }).on("line", (line) => {
    const request = JSON.parse(line) as TrafficRequest;
    last = last.then(async () => {
      process.stdout.write(`${await answer(request)}\n`);
    });
  });
}
