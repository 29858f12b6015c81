// In: what stands wrong, section by section. Out: the standing conditions, each with the moment it began: a condition
// that is found again keeps its beginning.
import type { ConditionCode } from "@weft/shared/model/condition";
import type { Condition } from "@weft/shared/model/report";
import type { Clock } from "./host/host.ts";

export interface Finding {
  readonly code: ConditionCode;
  readonly detail: string;
}

export class ConditionBook {
  readonly #clock: Clock;
  readonly #bySection = new Map<string, readonly Condition[]>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** All that is wrong in a section now; what is not named any more is over. */
  set(section: string, findings: readonly Finding[]): void {
    const before = this.#bySection.get(section) ?? [];
    const unique = new Map(findings.map((finding) => [`${finding.code} ${finding.detail}`, finding]));
    this.#bySection.set(
      section,
      [...unique.values()].map(({ code, detail }) => ({
        code,
        detail,
        since: before.find((condition) => condition.code === code)?.since ?? this.#clock.now(),
      })),
    );
  }

  standing(): Condition[] {
    return [...this.#bySection.values()].flat();
  }
}
