// In: nothing. Out: the suites in the order they run, cheapest first: what each is made of and what it needs.
export type Need = "components" | "build" | "root";

export interface Suite {
  readonly name: string;
  /** Test files are looked for in these folders; none: the suite is the checks of `npm run check`. */
  readonly folders: readonly string[];
  readonly needs: readonly Need[];
  /** One file after the other: the machines of one file would slow those of the next. */
  readonly inBand: boolean;
}

export const suites: readonly Suite[] = [
  { name: "check", folders: [], needs: [], inBand: true },
  { name: "unit", folders: ["packages", "scripts", "examples"], needs: [], inBand: false },
  { name: "arch", folders: ["test/arch"], needs: [], inBand: true },
  { name: "contract", folders: ["test/contract"], needs: [], inBand: false },
  { name: "integration", folders: ["test/integration"], needs: ["components"], inBand: false },
  { name: "system", folders: ["test/system"], needs: ["root", "components", "build"], inBand: true },
];
