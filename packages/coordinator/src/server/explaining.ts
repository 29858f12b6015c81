// In: the parts of the coordinator that know nodes and mesh. Out: what explains them, put together: questions to
// kernels, what kernels have counted, and the answers made of both.
import type { Observation } from "@weft/shared/model/observation";
import type { Fleet } from "../fleet/fleet.ts";
import { Observations } from "../fleet/observations.ts";
import type { MeshAuthority } from "../rollout/mesh-authority.ts";
import type { MeshCompiler } from "../rollout/mesh-compiler.ts";
import type { Store } from "../store/store.ts";
import { FlowDesk } from "./flow-desk.ts";
import { QuestionDesk } from "./question-desk.ts";
import { Replayer } from "./replayer.ts";
import type { Sessions } from "./sessions.ts";
import { WhyDesk } from "./why-desk.ts";

export interface ExplainingParts {
  readonly authority: MeshAuthority;
  readonly compiler: MeshCompiler;
  readonly store: Store;
  readonly fleet: Fleet;
  readonly sessions: Sessions;
  readonly now: () => Date;
}

export interface Explaining {
  readonly desk: QuestionDesk;
  readonly observed: (node: string, observation: Observation) => void;
  readonly why: WhyDesk;
  readonly flows: FlowDesk;
  readonly replayer: Replayer;
}

export function explaining(parts: ExplainingParts): Explaining {
  const observations = new Observations();
  const desk = new QuestionDesk(parts.sessions);
  const flows = new FlowDesk({ ...parts, observations });
  return {
    desk,
    observed: (node, observation) => observations.take(node, observation, parts.now()),
    why: new WhyDesk({ ...parts, desk }),
    flows,
    replayer: new Replayer({ ...parts, observations, refresh: (names) => flows.refresh(names) }),
  };
}
