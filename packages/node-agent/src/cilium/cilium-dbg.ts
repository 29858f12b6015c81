// In: an endpoint's number. Out: its policy map as the kernel has it now, by the program that comes with Cilium's agent.
import { ciliumPlaces } from "@weft/shared/render/cilium-places";
import type { Exec, ExecOptions } from "../host/host.ts";
import { type PolicyEntry, parsePolicyMap } from "./policy-map.ts";

export const ciliumDbg = `${ciliumPlaces.programs}/cilium-dbg`;

/** @param exec with the power to read maps */
export async function readPolicyMap(
  exec: Pick<Exec, "run">,
  endpoint: number,
  options?: ExecOptions,
): Promise<PolicyEntry[]> {
  const args = ["bpf", "policy", "get", String(endpoint), "-o", "json"];
  return parsePolicyMap((await exec.run(ciliumDbg, args, options)).stdout);
}
