// In: single texts of the mesh file. Out: what they mean, or undefined. Each form says what it allows. Pure.
import { formatCidr, normaliseAddress, parseCidr } from "./address.ts";
import type { PortRange, Traffic } from "./desired.ts";
import { isLabel } from "./ids.ts";

export interface TextForm<T> {
  /** As in "... is no node name". */
  readonly what: string;
  readonly allowed: string;
  /** For the JSON Schema: at least as wide as `parse`. */
  readonly pattern: string;
  parse(text: string): T | undefined;
  /** What was probably meant by a text that is not of this form. */
  near?(text: string): string | undefined;
}

export const labelForm: TextForm<string> = {
  what: "name",
  allowed: "1 to 63 of a-z, 0-9 and -, not beginning or ending with -",
  pattern: "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$",
  parse: (text) => (isLabel(text) ? text : undefined),
  near: nearLabel,
};

function nearLabel(text: string): string | undefined {
  const label = text
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]+/g, "-")
    .slice(0, 63)
    .replaceAll(/^-+|-+$/g, "");
  return isLabel(label) && label !== text ? label : undefined;
}

const ports = /^(\d{1,5})(?:-(\d{1,5}))?\/(tcp|udp)$/;

export const portForm: TextForm<PortRange> = {
  what: "port",
  allowed: "a port or range with its protocol, such as 8080/tcp or 8000-8010/udp; 1 to 65535",
  pattern: "^[0-9]{1,5}(-[0-9]{1,5})?/(tcp|udp)$",
  parse(text) {
    const match = ports.exec(text);
    if (match === null) return undefined;
    const from = Number(match[1]);
    const to = match[2] === undefined ? from : Number(match[2]);
    if (from < 1 || to > 65535 || from > to) return undefined;
    return { protocol: match[3] === "udp" ? "udp" : "tcp", from, to };
  },
  near(text) {
    const lower = text.toLowerCase().replaceAll(/\s+/g, "").replace(":", "-");
    const swapped = /^(tcp|udp)[/-]?(\d[\d-]*)$/.exec(lower);
    const candidate =
      swapped === null ? (lower.includes("/") ? lower : `${lower}/tcp`) : `${swapped[2]}/${swapped[1]}`;
    return candidate !== text && this.parse(candidate) !== undefined ? candidate : undefined;
  },
};

/** Under `ports:` it stands for ping, and so is no port's name. */
export const icmpPort = "icmp" satisfies Traffic;

/** A name of a port, as in `ports: { http: 8080/tcp }`; it becomes a DNS label (_http._tcp). */
export const portNameForm: TextForm<string> = {
  what: "port name",
  allowed: "1 to 15 of a-z, 0-9 and -, with at least one letter",
  pattern: "^[a-z0-9]([a-z0-9-]{0,13}[a-z0-9])?$",
  parse: (text) => (isLabel(text) && text.length <= 15 && /[a-z]/.test(text) ? text : undefined),
  near: (text) => nearLabel(text.slice(0, 15)),
};

export const addressForm: TextForm<string> = {
  what: "IP address",
  allowed: "one IPv4 or IPv6 address, such as 10.0.0.5 or fd00::5",
  pattern: "^[0-9a-fA-F.:]+$",
  parse: normaliseAddress,
  near(text) {
    const host = text.split("/")[0] ?? "";
    return host !== text ? normaliseAddress(host) : undefined;
  },
};

export const cidrForm: TextForm<string> = {
  what: "address range",
  allowed: "an address or CIDR whose host bits are zero, such as 192.0.2.0/28 or fd00::/64",
  pattern: "^[0-9a-fA-F.:]+(/[0-9]{1,3})?$",
  parse(text) {
    const cidr = parseCidr(text);
    return cidr === undefined ? undefined : formatCidr(cidr);
  },
  near(text) {
    const [host = "", tail = ""] = text.split("/");
    const address = parseCidr(host);
    if (address === undefined || !/^\d{1,3}$/.test(tail)) return undefined;
    const hostBits = address.bits - Number(tail);
    if (hostBits < 0) return undefined;
    const shift = BigInt(hostBits);
    return formatCidr({ ...address, network: (address.network >> shift) << shift, bits: Number(tail) });
  },
};

/** Endpoints of Cilium have addresses of this family alone. */
export const ipv4RangeForm: TextForm<string> = {
  what: "IPv4 range",
  allowed: "an IPv4 CIDR whose host bits are zero, such as 10.42.11.0/24",
  pattern: "^[0-9.]+/[0-9]{1,2}$",
  parse(text) {
    const cidr = parseCidr(text);
    return cidr?.family === 4 && cidr.bits < 32 ? formatCidr(cidr) : undefined;
  },
  near(text) {
    const candidate = cidrForm.near?.(text);
    return candidate === undefined ? undefined : this.parse(candidate);
  },
};

const memberUrl = /^https?:\/\/(?:\[[0-9a-f:]+\]|[A-Za-z0-9.-]+):(\d{1,5})$/;

export const etcdMemberForm: TextForm<string> = {
  what: "URL of an etcd",
  allowed: "http:// or https://, a host and a port, such as https://10.77.0.10:2379",
  pattern: "^https?://(\\[[0-9a-f:]+\\]|[A-Za-z0-9.-]+):[0-9]{1,5}$",
  parse(text) {
    const port = Number(memberUrl.exec(text)?.[1]);
    return port >= 1 && port <= 65535 ? text : undefined;
  },
  near(text) {
    const bare = text.replace(/\/+$/, "");
    return [bare, `https://${bare}`, `${bare}:2379`, `https://${bare}:2379`].find(
      (candidate) => candidate !== text && this.parse(candidate) !== undefined,
    );
  },
};

export const filePathForm: TextForm<string> = {
  what: "path of a file",
  allowed: "an absolute path of letters, digits, _, @, +, - and ., no part beginning with a dot",
  pattern: "^(/[A-Za-z0-9_@+-][A-Za-z0-9_.@+-]*)+$",
  parse: (text) => (/^(\/[A-Za-z0-9_@+-][A-Za-z0-9_.@+-]*)+$/.test(text) ? text : undefined),
};

/** Of a unit that is moved into a namespace: its name becomes a folder's. */
export const movedUnitForm: TextForm<string> = {
  what: "unit that can be moved into a network namespace",
  allowed: "a name of at most 209 characters that ends in .service and begins with a letter or digit",
  pattern: "^[A-Za-z0-9][A-Za-z0-9:_.@-]{0,200}[.]service$",
  parse: (text) => (/^[A-Za-z0-9][A-Za-z0-9:_.@-]{0,200}[.]service$/.test(text) ? text : undefined),
};

export const userForm: TextForm<string> = {
  what: "user name",
  allowed: "a local user by name: 1 to 32 of a-z, 0-9, _ and -, beginning with a letter or _",
  pattern: "^[a-z_][a-z0-9_-]{0,31}$",
  parse: (text) => (/^[a-z_][a-z0-9_-]{0,31}$/.test(text) ? text : undefined),
};

export const unitForm: TextForm<string> = {
  what: "systemd service unit",
  allowed: "the name of a unit ending in .service",
  pattern: "^[A-Za-z0-9:_.@-]+\\.service$",
  parse: (text) => (/^[A-Za-z0-9:_.@-]{1,247}\.service$/.test(text) ? text : undefined),
  near: (text) => (/^[A-Za-z0-9:_@-]{1,247}$/.test(text) ? `${text}.service` : undefined),
};

const labelPart = "[A-Za-z0-9]([A-Za-z0-9._/-]{0,61}[A-Za-z0-9])?";

/** Key or value of a label. */
export const labelTextForm: TextForm<string> = {
  what: "label",
  allowed: "1 to 63 of letters, digits, '.', '_', '/' and '-', beginning and ending with a letter or digit",
  pattern: `^${labelPart}$`,
  parse: (text) => (new RegExp(`^${labelPart}$`).test(text) ? text : undefined),
};

export const percentForm: TextForm<{ readonly unit: "percent"; readonly size: number }> = {
  what: "share of the nodes",
  allowed: "a number of nodes, or a percentage such as 25%",
  pattern: "^[0-9]{1,3}%$",
  parse(text) {
    const percent = Number(/^(\d{1,3})%$/.exec(text)?.[1]);
    return percent >= 1 && percent <= 100 ? { unit: "percent", size: percent } : undefined;
  },
  near(text) {
    const digits = /^\s*(\d{1,3})\s*(%|percent)?\s*$/.exec(text)?.[1];
    const candidate = `${Number(digits)}%`;
    return this.parse(candidate) === undefined ? undefined : candidate;
  },
};

/** As seconds. */
export const deadlineForm: TextForm<number> = {
  what: "length of time",
  allowed: "10s to 1h, such as 90s or 5m",
  pattern: "^[0-9]{1,4}[smh]$",
  parse(text) {
    const match = /^([1-9]\d{0,3})([smh])$/.exec(text);
    const seconds = Number(match?.[1]) * ({ s: 1, m: 60, h: 3600 }[match?.[2] ?? ""] ?? Number.NaN);
    return seconds >= 10 && seconds <= 3600 ? seconds : undefined;
  },
  near: (text) => (/^\d{2,4}$/.test(text) ? `${text}s` : undefined),
};
