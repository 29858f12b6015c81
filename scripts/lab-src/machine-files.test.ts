import { expect, it } from "@jest/globals";
import { machineFiles, type RootFile } from "./machine-files.ts";
import { findMachine } from "./topology.ts";

function filesOf(machine: string): Map<string, RootFile> {
  return new Map(machineFiles(findMachine(machine), "0".repeat(32)).map((file) => [file.path, file]));
}

it("gives each machine its own addresses, to be set from inside", () => {
  expect(filesOf("api1").get("etc/lab-network")).toEqual({
    path: "etc/lab-network",
    mode: 0o644,
    text: `link set eth0 up
address replace 10.77.0.12/24 dev eth0
address replace fd77::12/64 dev eth0 nodad
route replace default via 10.77.0.254
route replace default via fd77::254
`,
  });
});

it("gives web1 a plain resolv.conf and api1 systemd-resolved", () => {
  const web1 = filesOf("web1");
  expect(web1.get("etc/resolv.conf")).toEqual(expect.objectContaining({ text: "nameserver 10.77.0.53\n" }));
  expect(web1.get("etc/systemd/system/systemd-resolved.service")).toEqual(
    expect.objectContaining({ link: "/dev/null" }),
  );
  const api1 = filesOf("api1");
  expect(api1.get("etc/resolv.conf")).toEqual(
    expect.objectContaining({ link: "../run/systemd/resolve/stub-resolv.conf" }),
  );
  expect(api1.get("etc/nsswitch.conf")).toEqual(
    expect.objectContaining({
      text: expect.stringMatching(/^hosts: +files resolve \[!UNAVAIL=return\] dns$/m),
    }),
  );
  expect(api1.has("etc/systemd/system/systemd-resolved.service")).toBe(false);
});
