// In: the host. Out: what of Weft's DNS is in place now: files, unit, takeover. Nothing is changed.
import type { DesiredContent } from "@weft/shared/model/desired";
import { corefilePath, dnsDirectory } from "@weft/shared/render/corefile";
import type { Host, UnitState } from "../host/host.ts";
import { places, unitNames } from "../state/places.ts";
import { type DnsDecision, decideDnsMode } from "./decide-dns-mode.ts";
import { observeDnsEnv } from "./evidence.ts";
import { type Original, readOriginal } from "./original.ts";
import { type ResolvConfState, resolvConfState } from "./resolv-conf-file.ts";
import { type LinkState, observeLink } from "./resolved-link.ts";

const corednsPath = `${places.components}/coredns`;

export interface DnsObserved {
  readonly componentPresent: boolean;
  readonly unit: UnitState;
  /** Text of the Corefile; undefined when there is none. */
  readonly corefile: string | undefined;
  /** Every zone file in our directory: path and text. */
  readonly zoneFiles: readonly { readonly path: string; readonly text: string }[];
  /** How the host's resolver was before us; undefined when it is not taken. */
  readonly original: Original | undefined;
  readonly resolvConf: ResolvConfState;
  readonly link: LinkState;
}

export async function observeDns(host: Host): Promise<DnsObserved> {
  const { files } = host;
  const original = await readOriginal(files);
  const zonePaths = (await files.list(dnsDirectory))
    .filter((name) => name.endsWith(".zone"))
    .map((name) => `${dnsDirectory}/${name}`);
  const zoneFiles = [];
  for (const path of zonePaths) zoneFiles.push({ path, text: (await files.readText(path)) ?? "" });
  return {
    componentPresent: (await files.info(corednsPath)) !== undefined,
    unit: await host.units.state(unitNames.dns),
    corefile: await files.readText(corefilePath),
    zoneFiles,
    original,
    resolvConf: await resolvConfState(files, original),
    link: await observeLink(host, original?.zone ?? ""),
  };
}

/** The decision for this node, made on fresh evidence. */
export async function decideForNode(host: Host, desired: DesiredContent): Promise<DnsDecision> {
  return decideDnsMode(await observeDnsEnv(host), desired.dns, [desired.address]);
}

/** Which takeover is in force, by what the host shows now. */
export function takeoverInForce(observed: DnsObserved): "resolved-link" | "file" | undefined {
  if (observed.original?.mode === "resolved-link") return observed.link.inForce ? "resolved-link" : undefined;
  return observed.resolvConf.kind === "ours" ? "file" : undefined;
}
