// In: nothing. Out: the suites in the order they run, cheapest first: what each is made of and what it needs.
export type Need = "components" | "build" | "root";

export interface Suite {
  readonly name: string;
  /** Test files are looked for in these folders; none: the suite is the checks of `npm run check`. */
  readonly folders: readonly string[];
  readonly needs: readonly Need[];
  /** One file after the other: the machines of one file would slow those of the next. */
  readonly inBand: boolean;
  /** No run takes longer, on a slow machine either: what is still there then hangs, and is ended. */
  readonly limitMinutes: number;
}

export const suites: readonly Suite[] = [
  { name: "check", folders: [], needs: [], inBand: true, limitMinutes: 20 },
  { name: "unit", folders: ["packages", "scripts", "examples"], needs: [], inBand: false, limitMinutes: 20 },
  { name: "arch", folders: ["test/arch"], needs: [], inBand: true, limitMinutes: 10 },
  { name: "contract", folders: ["test/contract"], needs: [], inBand: false, limitMinutes: 20 },
  {
    name: "integration",
    folders: ["test/integration"],
    needs: ["components"],
    inBand: false,
    limitMinutes: 30,
  },
  {
    name: "system",
    folders: ["test/system"],
    needs: ["root", "components", "build"],
    inBand: true,
    limitMinutes: 120,
  },
];
