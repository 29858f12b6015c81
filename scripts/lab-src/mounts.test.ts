import { expect, it } from "@jest/globals";
import { mountsBelow } from "./mounts.ts";

const mountinfo = [
  "1 0 8:1 / / rw - ext4 /dev/vda rw",
  "2 1 0:50 / /labs/one/root rw - overlay x rw",
  "3 1 0:51 / /labs/one-more/root rw - overlay x rw",
  "4 2 0:52 / /labs/one/root/with\\040blank rw - tmpfs tmpfs rw",
  "5 1 0:53 / /labs/one rw - tmpfs tmpfs rw",
  "",
].join("\n");

it("finds the mounts of a directory, last mounted first, and not those of its namesakes", () => {
  expect(mountsBelow(mountinfo, "/labs/one")).toEqual([
    "/labs/one",
    "/labs/one/root/with blank",
    "/labs/one/root",
  ]);
});
