// A program: one end of many TCP flows, of one uid, driven by lines of JSON; each flow has a name that its client tells
// its server. In: argv[2] is the uid to become for good; one order a line. Out: a line for each thing that happens to a
// flow, with the moment. Bytes are counted and hashed as they are read, so that both ends can be compared.
import { createHash, type Hash, randomBytes } from "node:crypto";
import { connect, createServer, type Socket } from "node:net";
import { createInterface } from "node:readline";

/** Who sends while the flow stands: one of them a byte every few ms, or nobody; "pile": see the orders. */
export type FlowKind = "client-push" | "server-push" | "idle" | "pile";

export interface FlowOrder {
  /**
   * listen; open a flow; stop pushing and end it in order; write so many bytes and close at once (what the peer has not
   * read waits in the kernel then, without a program); read on, and tell what came.
   */
  readonly op: "listen" | "open" | "finish" | "pile" | "drain";
  readonly name?: string;
  readonly kind?: FlowKind;
  readonly host?: string;
  readonly port?: number;
  readonly bytes?: number;
}

export interface FlowEvent {
  readonly name: string;
  readonly event: "listening" | "open" | "piled" | "ended" | "whole";
  /** ms since the epoch. */
  readonly at: number;
  /** Error code, or "closed". */
  readonly how?: string;
  readonly read?: number;
  readonly readHash?: string;
  readonly wrote?: number;
  readonly wroteHash?: string;
}

class Flow {
  readonly #name: string;
  readonly #socket: Socket;
  readonly #read: Hash = createHash("sha256");
  readonly #wrote: Hash = createHash("sha256");
  #readBytes = 0;
  #wroteBytes = 0;
  #pushing: NodeJS.Timeout | undefined;
  #how = "closed";

  constructor(name: string, socket: Socket) {
    this.#name = name;
    this.#socket = socket;
    socket.on("data", (data: Buffer) => {
      this.#read.update(data);
      this.#readBytes += data.length;
    });
    socket.on("error", (error: NodeJS.ErrnoException) => {
      this.#how = error.code ?? error.message;
    });
    socket.on("end", () => this.say("whole"));
    socket.on("close", () => {
      clearInterval(this.#pushing);
      this.say("ended");
    });
  }

  say(event: FlowEvent["event"]): void {
    const line: FlowEvent = {
      name: this.#name,
      event,
      at: performance.timeOrigin + performance.now(),
      how: this.#how,
      read: this.#readBytes,
      readHash: this.#read.copy().digest("hex"),
      wrote: this.#wroteBytes,
      wroteHash: this.#wrote.copy().digest("hex"),
    };
    process.stdout.write(`${JSON.stringify(line)}\n`);
  }

  #write(data: Buffer, written?: () => void): void {
    this.#wrote.update(data);
    this.#wroteBytes += data.length;
    this.#socket.write(data, () => written?.());
  }

  push(): void {
    this.#pushing = setInterval(() => this.#write(randomBytes(64)), 20);
  }

  pause(): void {
    this.#socket.pause();
  }

  drain(): void {
    this.#socket.resume();
  }

  finish(): void {
    clearInterval(this.#pushing);
    this.#socket.end();
  }

  /** The kernel has taken all of it when the socket is closed. */
  pile(bytes: number): void {
    this.#write(randomBytes(bytes), () => {
      this.say("piled");
      this.#socket.destroy();
    });
  }
}

const flows = new Map<string, Flow>();

/** The first line of a client: "NAME KIND\n"; answered by one byte. */
function accept(socket: Socket): void {
  let head = "";
  const onData = (data: Buffer) => {
    head += data.toString("latin1");
    if (!head.includes("\n")) return;
    const [name = "", kind] = head.trim().split(" ");
    socket.off("data", onData);
    socket.off("error", ignore);
    const flow = new Flow(name, socket);
    flows.set(name, flow);
    if (kind === "pile") flow.pause();
    socket.write("+");
    if (kind === "server-push") flow.push();
  };
  socket.on("data", onData);
  socket.on("error", ignore);
}

function ignore(): void {}

function open({ name = "", kind = "idle", host = "", port = 0 }: FlowOrder): void {
  const socket = connect({ host, port, noDelay: true });
  socket.once("error", ignore);
  socket.once("connect", () => socket.write(`${name} ${kind}\n`));
  socket.once("readable", () => {
    socket.read(1);
    // when the stream has noticed that nobody waits for "readable" any more
    setImmediate(() => {
      const flow = new Flow(name, socket);
      flows.set(name, flow);
      if (kind === "pile") flow.pause();
      if (kind === "client-push") flow.push();
      flow.say("open");
    });
  });
}

function obey(order: FlowOrder): void {
  const flow = flows.get(order.name ?? "");
  switch (order.op) {
    case "listen":
      createServer({ noDelay: true, allowHalfOpen: true }, accept).listen(
        order.port,
        order.host ?? "::",
        () =>
          process.stdout.write(
            `${JSON.stringify({ name: `${order.port}`, event: "listening", at: Date.now() })}\n`,
          ),
      );
      break;
    case "open":
      open(order);
      break;
    case "finish":
      flow?.finish();
      break;
    case "pile":
      flow?.pile(order.bytes ?? 0);
      break;
    case "drain":
      flow?.drain();
      break;
  }
}

if (import.meta.main) {
  const uid = Number(process.argv[2] ?? "0");
  process.setgroups?.([]);
  process.setgid?.(uid);
  process.setuid?.(uid);
  createInterface({ input: process.stdin }).on("line", (line) => obey(JSON.parse(line) as FlowOrder));
}
