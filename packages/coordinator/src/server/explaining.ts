// In: the parts of the coordinator that know nodes and mesh. Out: what explains them, put together: questions to
// kernels, what kernels have counted, and the answers made of both.
import type { Observation } from "@weft/shared/model/observation";
import type { Fleet } from "../fleet/fleet.ts";
import type { Observations } from "../fleet/observations.ts";
import type { MeshAuthority } from "../rollout/mesh-authority.ts";
import type { MeshCompiler } from "../rollout/mesh-compiler.ts";
import type { Store } from "../store/store.ts";
import { FlowDesk } from "./flow-desk.ts";
import { ProbeDesk } from "./probe-desk.ts";
import { ProofDesk } from "./proof-desk.ts";
import {
  type DialDesk,
  dialQuestions,
  type KernelDesk,
  kernelQuestions,
  QuestionDesk,
} from "./question-desk.ts";
import { Replayer } from "./replayer.ts";
import type { Sessions } from "./sessions.ts";
import { WayDesk } from "./way-desk.ts";
import { WhyDesk } from "./why-desk.ts";

export interface ExplainingParts {
  readonly authority: MeshAuthority;
  readonly compiler: MeshCompiler;
  readonly store: Store;
  readonly fleet: Fleet;
  readonly sessions: Sessions;
  readonly observations: Observations;
  readonly now: () => Date;
}

export interface Explaining {
  readonly desk: KernelDesk;
  readonly dials: DialDesk;
  readonly observed: (node: string, observation: Observation) => void;
  readonly why: WhyDesk;
  readonly probes: ProbeDesk;
  readonly flows: FlowDesk;
  readonly replayer: Replayer;
}

export function explaining(parts: ExplainingParts): Explaining {
  const { observations } = parts;
  const desk: KernelDesk = new QuestionDesk(parts.sessions, kernelQuestions);
  const dials: DialDesk = new QuestionDesk(parts.sessions, dialQuestions);
  const flows = new FlowDesk(parts);
  const ways = new WayDesk({ ...parts, desk });
  const proofs = new ProofDesk(dials);
  return {
    desk,
    dials,
    observed: (node, observation) => observations.take(node, observation, parts.now()),
    why: new WhyDesk({ ...parts, ways, proofs }),
    probes: new ProbeDesk({ ...parts, ways, proofs }),
    flows,
    replayer: new Replayer({ ...parts, refresh: (names) => flows.refresh(names) }),
  };
}
