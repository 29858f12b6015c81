// A plan is data: a list of steps. The kinds and their arguments are this one map; the union and the
// executor table of the node agent are both derived from it, so a kind without an executor does not compile.

export interface StepArgs {
  /** Bring a component under /opt/weft/components, checked against this release's own catalogue. */
  readonly fetchComponent: { readonly component: string };
  /** Put a file down atomically. `text` is the whole content. `mode` is a permission such as 0o644. */
  readonly writeFile: { readonly path: string; readonly mode: number; readonly text: string };
  readonly removeFile: { readonly path: string };
  /** Enable a unit for boot and have it running; `restart` when its files changed. */
  readonly enableUnit: { readonly unit: string; readonly restart: boolean };
  readonly disableUnit: { readonly unit: string };
  /** Load one nft script in one transaction, and keep it as the confirmed one for boot. */
  readonly loadPolicy: {
    readonly text: string;
    readonly revision: number;
    readonly digest: string;
    /** Loaded first where the machine has no table of ours yet: connections get tracked before they are judged. */
    readonly tracking: string | undefined;
  };
  /**
   * Put a new policy in force beside the confirmed one, for a time; prove that the machine can still be reached, and
   * confirm it. Unproved, it ends by itself in the kernel.
   */
  readonly armPolicy: {
    /** The policy as boot would load it: alone. */
    readonly text: string;
    /** The policy beside the confirmed one, and nothing judged by it. */
    readonly stage: string;
    /** It is in force, for a time. */
    readonly arm: string;
    readonly revision: number;
    readonly digest: string;
    readonly generation: number;
  };
  /** Give the SPIRE agent what a fresh attestation needs, start it, and wait until it is healthy. */
  readonly attestSpireAgent: { readonly agentId: string };
  /** Point the host's resolver at weft-dns, recording how it was. */
  readonly takeResolver: {
    readonly mode: "resolved-link" | "file";
    readonly zone: string;
    readonly upstreams: readonly string[];
    /** A name of the zone with an address: it must resolve through nss, or the host's resolver is given back. */
    readonly probe: string;
  };
  /** Give the host's resolver back byte for byte. */
  readonly giveResolver: Record<string, never>;
}

export type StepKind = keyof StepArgs;

export type Step = { [K in StepKind]: { readonly kind: K; readonly args: StepArgs[K] } }[StepKind];

/** What the step is about, for reports: a path, unit or component name. */
export function subjectOf(step: Step): string {
  switch (step.kind) {
    case "fetchComponent":
      return step.args.component;
    case "writeFile":
    case "removeFile":
      return step.args.path;
    case "enableUnit":
    case "disableUnit":
      return step.args.unit;
    case "loadPolicy":
    case "armPolicy":
      return `revision ${step.args.revision}`;
    case "attestSpireAgent":
      return step.args.agentId;
    case "takeResolver":
      return step.args.mode;
    case "giveResolver":
      return "resolver";
  }
}
