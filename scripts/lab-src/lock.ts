// In: a name. Out: an exclusive lock on this machine that the kernel lets go when the holder dies.
// It is a listening abstract socket: whoever waits holds a connection, which closes when the holder ends.
import { once } from "node:events";
import { createConnection, createServer, type Socket } from "node:net";
import { errnoOf } from "@weft/shared/errors/system";

export interface Lock {
  release(): Promise<void>;
}

function tryLock(name: string): Promise<Lock | undefined> {
  return new Promise((resolve, reject) => {
    const waiting = new Set<Socket>();
    const server = createServer((socket) => {
      waiting.add(socket);
      socket.on("close", () => waiting.delete(socket));
      socket.on("error", () => socket.destroy());
    });
    server.once("error", (error) => (errnoOf(error) === "EADDRINUSE" ? resolve(undefined) : reject(error)));
    server.listen(`\0${name}`, () =>
      resolve({
        async release() {
          const closed = once(server, "close");
          server.close();
          for (const socket of waiting) socket.destroy();
          await closed;
        },
      }),
    );
  });
}

async function untilHolderEnds(name: string): Promise<void> {
  const socket = createConnection(`\0${name}`);
  await new Promise<void>((resolve) => {
    // a refused connection means the holder is gone already: either way the next try decides
    socket.on("error", () => resolve());
    socket.on("close", () => resolve());
  });
}

export async function takeLock(name: string, onWait: () => void): Promise<Lock> {
  let told = false;
  for (;;) {
    const lock = await tryLock(name);
    if (lock !== undefined) return lock;
    if (!told) onWait();
    told = true;
    await untilHolderEnds(name);
  }
}

export async function withLock<T>(name: string, onWait: () => void, work: () => Promise<T>): Promise<T> {
  const lock = await takeLock(name, onWait);
  try {
    return await work();
  } finally {
    await lock.release();
  }
}
