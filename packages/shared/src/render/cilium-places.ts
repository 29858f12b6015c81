// In: nothing, or a service's name. Out: where things of Cilium are on a node, and what they are called there. Pure.
// A service's name is a DNS label (wire/cilium-desired-codec.ts), so it is a file's name and a unit's instance as it is.

export const ciliumPlaces = {
  /** Put there by the operator: programs, and `bpf/` of their version. */
  programs: "/opt/weft/cilium",
  /** The clang of their version, where it came with them. */
  compiler: "/opt/weft/cilium/bin/clang",
  configuration: "/etc/weft/cilium",
  /** One file for each option of the agent. */
  options: "/etc/weft/cilium/agent.d",
  environment: "/etc/weft/cilium/agent.env",
  /** Which programs the agent was started from: beside the options, of which every file is one. */
  started: "/etc/weft/cilium/started",
  etcd: "/etc/weft/cilium/etcd.yaml",
  policies: "/etc/weft/cilium/policies",
  /** What weft-netns makes of a service's namespace. */
  endpoints: "/etc/weft/cilium/endpoints",
  /** The endpoints' own, in place of /etc/resolv.conf. */
  resolvConf: "/etc/weft/cilium/resolv.conf",
  /** A file for each unit that runs in its namespace: the drop-in it was started with. */
  moved: "/etc/weft/cilium/moved",
  /** Before the system's programs: the clang that is new enough, under that name. */
  path: "/etc/weft/cilium/bin",
} as const;

export const ciliumUnit = "weft-cilium.service";

/** Takes down all that an agent of Cilium left in the kernel and on disk. */
export const ciliumDownUnit = "weft-cilium-down.service";

/** Link-local, the same on every node: outside every range, so no endpoint ever gets it. The gateway of each. */
export const routerAddress = "169.254.42.1";

/** Of every endpoint's link on the machine's side: Cilium lets pass on what comes by such a one. */
export const endpointLinkPrefix = "lxc";

const namespacePrefix = "weft-";

export function namespaceOf(service: string): string {
  return `${namespacePrefix}${service}`;
}

export function namespacePath(service: string): string {
  return `/run/netns/${namespaceOf(service)}`;
}

export function namespaceUnit(service: string): string {
  return `weft-netns@${service}.service`;
}

export function endpointFile(service: string): string {
  return `${ciliumPlaces.endpoints}/${service}`;
}

/** Of the unit that is moved. */
export function dropInFile(unit: string): string {
  return `/etc/systemd/system/${unit}.d/50-weft-endpoint.conf`;
}
