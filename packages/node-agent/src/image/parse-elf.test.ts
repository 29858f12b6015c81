import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { expect, it } from "@jest/globals";
import { elfProgram } from "../../../../test/support/cilium/image-sample.ts";
import { isSelfContained } from "./parse-elf.ts";

it("is a program without an interpreter", () => {
  expect(isSelfContained(elfProgram(false))).toBe(true);
  expect(isSelfContained(elfProgram(true))).toBe(false);
});

it("is not one of this machine that the system's loader starts", () => {
  const cat = readFileSync(execFileSync("sh", ["-c", "command -v cat"], { encoding: "utf8" }).trim());
  expect(cat.toString("latin1", 1, 4)).toBe("ELF");
  expect(isSelfContained(cat)).toBe(false);
});

it.each<[string, Uint8Array]>([
  ["nothing", new Uint8Array()],
  ["a script", Buffer.from("#!/bin/sh\n".repeat(20))],
  ["one whose parts are not seen", elfProgram(false).subarray(0, 100)],
  ["one of 32 bits", Buffer.from(elfProgram(false)).fill(1, 4, 5)],
])("is not %s", (_, head) => {
  expect(isSelfContained(head)).toBe(false);
});
