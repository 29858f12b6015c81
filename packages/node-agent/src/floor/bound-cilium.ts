// In: what of Cilium a node is given, and its floor. Out: what of it may be. Pure. A machine with a floor takes none of it
// unless the floor says so. Which units may be moved into a namespace, and which addresses and ports endpoints may have, is
// bounded without a floor, too: whoever moves the way in of the machine's operator has taken it.
import type { DesiredContent } from "@weft/shared/model/desired";
import type { DesiredCilium, DesiredEndpoint } from "@weft/shared/model/desired-cilium";
import { valuesOf } from "./bound-dns.ts";
import { boundEndpointRules } from "./bound-endpoint-rules.ts";
import { portRefusal, rangeRefusal } from "./endpoint-refusal.ts";
import type { Floor } from "./floor.ts";
import { builtIn, type Refusals } from "./refusals.ts";

/** Weft's own, the ways in, and what the machine's network, users and services stand on. */
const neverMoved: readonly RegExp[] = [
  /^weft-/,
  /^spire-(agent|server)\./,
  /^(sshd?|dropbear)[.@-]/,
  /^(telnetd?|cockpit|getty|serial-getty|console-getty|container-getty|user|user-runtime-dir)[.@-]/,
  /^(systemd-|dbus|polkit|cloud-|rescue|emergency|init)/,
  /^(network|networking|networkd-dispatcher|NetworkManager|ModemManager|connman|iwd|wicked|netplan|ifup|ifupdown)/,
  /^(dhcpcd|dhclient|wpa_supplicant|wg-quick|tailscaled|openvpn|strongswan|ipsec)/,
  /^(nftables|iptables|ip6tables|netfilter-persistent|firewalld|ufw|ipset)[.@]/,
];

export function isNeverMoved(unit: string): boolean {
  return neverMoved.some((pattern) => pattern.test(unit));
}

export function boundCilium(
  content: DesiredContent,
  floor: Floor | undefined,
  refusals: Refusals,
): DesiredContent {
  const { cilium, policy } = content;
  const refused = cilium === undefined ? undefined : wholeRefusal(cilium, content, floor);
  if (refused !== undefined) refusals.add(refused.line, refused.what);
  const wanted = refused === undefined ? cilium : undefined;
  const endpoints = (wanted?.endpoints ?? [])
    .filter((endpoint) => isAdmitted(endpoint, content, floor, refusals))
    .map((endpoint) => (floor === undefined ? endpoint : boundEndpointRules(endpoint, floor, refusals)));
  const own = new Set(endpoints.map(({ address }) => address));
  const addresses = (policy.endpoints ?? []).filter((address) => own.has(address));
  const known = new Set(cilium?.endpoints.map(({ address }) => address));
  if (refused === undefined)
    for (const address of policy.endpoints ?? [])
      if (!known.has(address))
        refusals.add(builtIn, `${address} as the address of an endpoint: no service has it`);
  const { cilium: _cilium, ...others } = content;
  const { endpoints: _endpoints, ...rules } = policy;
  return {
    ...others,
    policy: { ...rules, ...(addresses.length === 0 ? {} : { endpoints: addresses }) },
    ...(wanted === undefined ? {} : { cilium: { ...wanted, endpoints } }),
  };
}

function wholeRefusal(cilium: DesiredCilium, content: DesiredContent, floor: Floor | undefined) {
  if (floor !== undefined && floor.cilium?.value !== true)
    return {
      line: floor.cilium?.line ?? 1,
      what: "endpoints of Cilium: the floor does not say `cilium: true`",
    };
  return rangeRefusal(cilium, content, floor);
}

/** @param content without the workloads that the floor refuses */
function isAdmitted(
  { unit, service, address, ports }: DesiredEndpoint,
  { identity, policy }: DesiredContent,
  floor: Floor | undefined,
  refusals: Refusals,
): boolean {
  const refused = (line: number, what: string): false => {
    refusals.add(line, what);
    return false;
  };
  if (isNeverMoved(unit))
    return refused(builtIn, `moving ${unit} into a network namespace: the machine stands on it`);
  if (policy.endpoints?.includes(address) !== true)
    return refused(builtIn, `the endpoint ${address} of ${service}: the rules of nftables do not name it`);
  const port = portRefusal({ service, ports }, policy.guard, floor);
  if (port !== undefined) return refused(port.line, port.what);
  const { units, users } = floor ?? {};
  if (units !== undefined && !valuesOf(units).includes(unit))
    return refused(units.line, `unit ${unit} as service ${service}`);
  if (users !== undefined && !identity.workloads.some((workload) => workload.service === service))
    return refused(users.line, `moving ${unit}: no user stands for service ${service}`);
  return true;
}
