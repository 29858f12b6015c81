import { expect, it } from "@jest/globals";
import { bootstrapFailure } from "./root-cache.ts";

it("quotes the causes of a failed bootstrap, not its chatter", () => {
  const said = `I: running apt-get update...
Err:1 http://mirror.example/debian bookworm InRelease
  Could not connect
E: Failed to fetch it
I: main() received signal PIPE
E: mmdebstrap failed to run
E: more`;
  expect(bootstrapFailure(said)).toBe(
    "Err:1 http://mirror.example/debian bookworm InRelease | E: Failed to fetch it | E: mmdebstrap failed to run",
  );
  expect(bootstrapFailure("I: fine")).toBe("it gave no reason");
});
