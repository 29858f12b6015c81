// A machine without ss, or where it takes long, must not end the agent by a rejection that nobody hears.

import { setTimeout as delay } from "node:timers/promises";
import { expect, it } from "@jest/globals";
import type { Exec } from "../host/host.ts";
import { probeSocketDestroy } from "./socket-destroy.ts";

const execOf = (run: () => Promise<unknown>) => ({ run }) as unknown as Exec;

it("hears a wait that is over while ss still runs, and one that nobody needs any more", async () => {
  const unheard: unknown[] = [];
  const note = (reason: unknown) => void unheard.push(reason);
  process.on("unhandledRejection", note);
  try {
    const slow = probeSocketDestroy(execOf(() => delay(1_300)));
    await expect(probeSocketDestroy(execOf(() => Promise.reject(new Error("no ss"))))).rejects.toThrow(
      "no ss",
    );
    expect(await slow).toBe(false);
  } finally {
    process.off("unhandledRejection", note);
  }
  expect(unheard).toEqual([]);
});
