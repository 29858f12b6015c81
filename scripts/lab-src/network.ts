// In: a lab and a machine. Out: its network namespace, wired by a veth to the lab's own switch namespace.
// Nothing appears in this machine's own namespace. The address is not given here: the machine does that itself.
import { readdir } from "node:fs/promises";
import { isNotFound } from "@weft/shared/errors/system";
import { type LabNames, namespaceOf } from "./names.ts";
import { run } from "./run.ts";
import { address4, address6, macAddress, switchHost, upstreamHost, upstreamName } from "./topology.ts";

const bridge = "br0";
/** Outside addresses that answer (with a refusal, nothing listens): the public-looking world. */
export const outsideAddresses = ["192.0.2.80/32", "2001:db8::80/128"] as const;

/** Pure: what the switch namespace is given, in the language of `ip -batch`. */
export function switchCommands(): string[] {
  return [
    "link set lo up",
    `link add ${bridge} type bridge forward_delay 0 mcast_snooping 0`,
    `link set ${bridge} up`,
    `address add ${address4(switchHost)}/24 dev ${bridge}`,
    `address add ${address6(switchHost)}/64 dev ${bridge} nodad`,
    ...outsideAddresses.map((address) => `address add ${address} dev ${bridge}`),
  ];
}

/** Pure: what gives eth0 its addresses, run inside the machine at boot (and from outside for the upstream server). */
export function addressCommands(host: number): string[] {
  return [
    "link set eth0 up",
    `address replace ${address4(host)}/24 dev eth0`,
    `address replace ${address6(host)}/64 dev eth0 nodad`,
    `route replace default via ${address4(switchHost)}`,
    `route replace default via ${address6(switchHost)}`,
  ];
}

/** Pure: a machine's cable, plugged in unless it was cut. */
export function cableCommands(name: string, host: number, namespace: string, cut: boolean): string[] {
  return [
    `link add ${name} type veth peer name eth0 address ${macAddress(host)} netns ${namespace}`,
    `link set ${name} master ${bridge} ${cut ? "down" : "up"}`,
  ];
}

async function batch(namespace: string, commands: readonly string[]): Promise<void> {
  await run(["ip", "-n", namespace, "-batch", "-"], { input: `${commands.join("\n")}\n` });
}

function switchNamespace(lab: LabNames): string {
  return namespaceOf(lab, "switch");
}

export async function makeSwitch(lab: LabNames): Promise<void> {
  await run(["ip", "netns", "add", switchNamespace(lab)]);
  await batch(switchNamespace(lab), switchCommands());
}

export async function plugIn(lab: LabNames, name: string, host: number, cut: boolean): Promise<void> {
  const namespace = namespaceOf(lab, name);
  await run(["ip", "netns", "add", namespace]);
  await batch(switchNamespace(lab), cableCommands(name, host, namespace, cut));
}

export async function plugInUpstream(lab: LabNames): Promise<void> {
  await plugIn(lab, upstreamName, upstreamHost, false);
  await batch(namespaceOf(lab, upstreamName), ["link set lo up", ...addressCommands(upstreamHost)]);
}

/** The interface, its addresses and every kernel rule of the machine go with the namespace. */
export async function unplug(lab: LabNames, name: string): Promise<void> {
  // deleting the cable first makes its name free at once: a namespace's end is asynchronous
  await batch(switchNamespace(lab), [`link delete ${name}`]);
  await run(["ip", "netns", "delete", namespaceOf(lab, name)]);
}

export async function setCable(lab: LabNames, name: string, up: boolean): Promise<void> {
  await batch(switchNamespace(lab), [`link set ${name} ${up ? "up" : "down"}`]);
}

export function namespacePath(lab: LabNames, name: string): string {
  return `/run/netns/${namespaceOf(lab, name)}`;
}

export async function labNamespaces(lab: LabNames): Promise<string[]> {
  try {
    return (await readdir("/run/netns")).filter((name) => name.startsWith(lab.prefix));
  } catch (error) {
    if (isNotFound(error)) return [];
    throw error;
  }
}
