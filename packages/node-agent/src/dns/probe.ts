// In: what was decided for this node, every 5 s. Out: whether names really resolve, what to report, and whether
// the main loop should look and plan again. A resolver that hangs is killed: systemd starts it anew within 0.1 s.
import type { ConditionCode } from "@weft/shared/model/condition";
import type { DesiredContent } from "@weft/shared/model/desired";
import type { DnsReport } from "@weft/shared/model/report";
import { resolverAddress } from "@weft/shared/render/resolver-address";
import type { Host } from "../host/host.ts";
import { unitNames } from "../state/places.ts";
import type { DnsDecision } from "./decide-dns-mode.ts";
import { type Original, readOriginal } from "./original.ts";
import type { DnsClient } from "./query.ts";
import { resolvConfState } from "./resolv-conf-file.ts";
import { linkExists, observeLink } from "./resolved-link.ts";

const askMs = 1000;
const failuresUntilKill = 3;
/** Asking systemd-resolved costs a process; the link's existence does not. */
const checksPerFullLook = 12;

interface DnsCheck {
  readonly report: DnsReport;
  readonly conditions: readonly { readonly code: ConditionCode; readonly detail: string }[];
  /** Something is not as planned and may be put right: observe and plan again. */
  readonly repair: boolean;
}

interface Takeover {
  readonly inForce: boolean;
  readonly repair: boolean;
  readonly drift: string | undefined;
}

export class DnsProbe {
  readonly #host: Host;
  readonly #client: DnsClient;
  #failures = 0;
  #checks = 0;
  /** Standing from the third silence in a row until the next answer. */
  #down: string | undefined;

  constructor(host: Host, client: DnsClient) {
    this.#host = host;
    this.#client = client;
  }

  async check(desired: DesiredContent, decision: DnsDecision): Promise<DnsCheck> {
    if (desired.dns.mode === "off") {
      this.#failures = 0;
      this.#down = undefined;
      return { report: { mode: "off", state: "off", detail: decision.why }, conditions: [], repair: false };
    }
    const silence = await this.#askOwnResolver(desired.dns.zone);
    const original = await readOriginal(this.#host.files);
    const takeover = await this.#look(original, desired.dns.zone);
    const conditions: DnsCheck["conditions"][number][] = [];
    if (decision.condition !== undefined) conditions.push({ code: decision.condition, detail: decision.why });
    if (this.#down !== undefined) conditions.push({ code: "DNS_DOWN", detail: this.#down });
    if (takeover.drift !== undefined) conditions.push({ code: "DNS_DRIFTED", detail: takeover.drift });
    const wanted = decision.mode !== "off" || (decision.keep && original !== undefined);
    const unitGone =
      this.#down !== undefined && (await this.#host.units.state(unitNames.dns)).active !== "active";
    return {
      report: report(decision, original, wanted, takeover, silence),
      conditions,
      repair: unitGone || (wanted && takeover.repair),
    };
  }

  /** What is wrong, or undefined when it answers for the zone. */
  async #askOwnResolver(zone: string): Promise<string | undefined> {
    const answer = await this.#client.ask(resolverAddress, zone, "SOA", askMs);
    if (answer.kind === "answer" && answer.message.code === "NOERROR") {
      this.#failures = 0;
      this.#down = undefined;
      return undefined;
    }
    const wrong =
      answer.kind === "silent" ? answer.why : `weft-dns answers ${answer.message.code} for ${zone}`;
    this.#failures++;
    if (this.#failures >= failuresUntilKill) {
      this.#failures = 0;
      this.#down = wrong;
      // an answer that says SERVFAIL comes from a live process: killing it would change nothing
      if (answer.kind === "silent" && (await this.#host.units.state(unitNames.dns)).active === "active") {
        await this.#host.exec.run("systemctl", ["kill", "-s", "KILL", "--", unitNames.dns]);
        this.#down = `${wrong}; it hung and was killed`;
      }
    }
    return wrong;
  }

  async #look(original: Original | undefined, zone: string): Promise<Takeover> {
    const full = this.#checks++ % checksPerFullLook === 0;
    if (original === undefined) return { inForce: false, repair: true, drift: undefined };
    if (original.mode === "resolved-link") {
      const inForce = full ? (await observeLink(this.#host, zone)).inForce : await linkExists(this.#host);
      return { inForce, repair: !inForce, drift: undefined };
    }
    const state = await resolvConfState(this.#host.files, original);
    switch (state.kind) {
      case "ours":
        return { inForce: true, repair: false, drift: undefined };
      case "original":
        return { inForce: false, repair: true, drift: undefined };
      case "edited":
        return { inForce: true, repair: false, drift: "/etc/resolv.conf was edited after Weft wrote it" };
      case "foreign":
        return { inForce: false, repair: false, drift: state.what };
    }
  }
}

function report(
  decision: DnsDecision,
  original: Original | undefined,
  wanted: boolean,
  takeover: Takeover,
  silence: string | undefined,
): DnsReport {
  const mode = original?.mode ?? "off";
  if (!wanted) return { mode, state: "off", detail: decision.why };
  if (!takeover.inForce)
    return { mode, state: "failed", detail: takeover.drift ?? "the host's resolver is not taken over (yet)" };
  if (silence !== undefined) return { mode, state: "failed", detail: silence };
  return { mode, state: "in-force", detail: decision.why };
}
