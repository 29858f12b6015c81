// In: the host. Out: who owns its resolver, as a fact for the coordinator.
import type { DnsOwner } from "@weft/shared/model/facts";
import type { Host } from "../host/host.ts";
import { ownerOf } from "./decide-owner.ts";
import { observeDnsEnv } from "./evidence.ts";

export async function observeDnsOwner(host: Host): Promise<DnsOwner> {
  const { owner, evidence } = ownerOf(await observeDnsEnv(host));
  return { owner, evidence };
}
