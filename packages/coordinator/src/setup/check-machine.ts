// In: the machine and the wish. Out: nothing is changed yet, and nothing stands in the way; or why not.
import { WeftError } from "@weft/shared/errors/weft-error";
import { normaliseAddress } from "@weft/shared/model/address";
import type { InitWish } from "./init-wish.ts";
import type { Machine } from "./machine.ts";
import { places, ports, units } from "./places.ts";
import { unitIsActive } from "./systemd.ts";

const install = "run `install.sh coordinator` of the release, with its components file";

async function checkInstalled(machine: Machine): Promise<void> {
  const needed = [
    ...Object.values(units).map((unit) => `${places.units}/${unit}`),
    ...["spire-server", "spire-agent", "coredns"].map((name) => `${places.components}/${name}`),
    places.agentCommand,
  ];
  const missing: string[] = [];
  for (const path of needed) if (!(await machine.exists(path))) missing.push(path);
  for (const user of ["weft", "spire-server"])
    if ((await machine.user(user)) === undefined) missing.push(`the user ${user}`);
  if (missing.length > 0)
    throw new WeftError("WEFT-E007", "this machine lacks parts of the installation", {
      why: `Missing: ${missing.join(", ")}.`,
      hint: install,
    });
}

function checkAddress(machine: Machine, address: string): void {
  const own = machine.addresses().map((text) => normaliseAddress(text.split("%")[0] ?? "") ?? text);
  if (own.includes(address)) return;
  throw new WeftError("WEFT-E001", `${address} is no address of this machine`, {
    why: `It has: ${own.filter((text) => !text.startsWith("127.") && text !== "::1").join(", ") || "none"}.`,
    hint: "give --address the one of these that the other machines use",
  });
}

async function checkPorts(machine: Machine): Promise<void> {
  const taken: number[] = [];
  for (const [port, unit] of ports)
    if (!(await unitIsActive(machine, unit)) && (await machine.portTaken(port))) taken.push(port);
  if (taken.length > 0)
    throw new WeftError("WEFT-E007", `something else listens on port ${taken.join(" and ")}`, {
      hint: `find out what: ss -ltnp 'sport = :${taken[0] ?? ""}'`,
    });
}

export async function checkMachine(machine: Machine, wish: InitWish): Promise<string> {
  await checkInstalled(machine);
  checkAddress(machine, wish.address);
  await checkPorts(machine);
  return "installed, components present, ports free";
}

export function checkRoot(machine: Machine): void {
  if (machine.uid() !== 0)
    throw new WeftError("WEFT-E006", "weft init needs root", { hint: "run it with sudo" });
}
