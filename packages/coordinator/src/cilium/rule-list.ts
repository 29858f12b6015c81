// In: openings and refusals, one by one. Out: rules, in which what one policy says of one peer stands together. Pure.
import type { CiliumPeer, CiliumRule } from "@weft/shared/model/cilium-policy";
import type { Action, Origin, PortRange } from "@weft/shared/model/desired";
import { joinRanges } from "@weft/shared/plan/port-ranges";
import { byText } from "@weft/shared/plan/text-order";

/** Of what no policy says. */
export const noOrigin: Origin = { policy: "", file: "", line: 0 };

export class RuleList {
  readonly #direction: CiliumRule["direction"];
  readonly #rules = new Map<string, CiliumRule>();

  constructor(direction: CiliumRule["direction"]) {
    this.#direction = direction;
  }

  /** @param port undefined: everything, ping included */
  add(action: Action, peer: CiliumPeer, port: PortRange | undefined, origin: Origin, because = ""): void {
    const { policy, file, line } = origin;
    // a large mesh has a million of these; peers of a kind are all made alike
    const key = JSON.stringify([action, peer, policy, file, line, because, port === undefined]);
    const known = this.#rules.get(key);
    const ports = port === undefined ? undefined : joinRanges([...(known?.ports ?? []), port]);
    this.#rules.set(key, { direction: this.#direction, action, peer, ports, origin, because });
  }

  /** In the order of what they say. */
  get rules(): readonly CiliumRule[] {
    return [...this.#rules].sort(([a], [b]) => byText(a, b)).map(([, rule]) => rule);
  }
}
