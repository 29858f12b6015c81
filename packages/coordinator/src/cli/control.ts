// What the command line asks of the coordinator. The real one is control-client.ts.
// Every call fails with the coordinator's own refusal, or WEFT-E500 when it cannot be reached.
import type {
  AddNodeRequest,
  AddNodeResponse,
  ApplyEvent,
  ApplyRequest,
  NodePlan,
  RemoveNodeResponse,
  WhyRequest,
} from "@weft/shared/gen/weft/v1/control";
import type { BanNodeRequest, BanNodeResponse } from "@weft/shared/gen/weft/v1/guard";
import type { HistoryResponse } from "@weft/shared/gen/weft/v1/rollout";
import type { FleetStatus, NodeStatus } from "@weft/shared/model/fleet";
import type { Problem } from "@weft/shared/model/mesh";
import type { OperatorSession } from "../guard/risk.ts";
import type { SourceText } from "../store/records.ts";
import type { ObservedView, ReplayView } from "../view/flow-model.ts";
import type { RiskView } from "../view/render-risks.ts";
import type { WhyView } from "../view/render-why.ts";

export interface Plan {
  readonly problems: readonly Problem[];
  readonly baseRevision: number;
  readonly nodes: readonly NodePlan[];
  /** undefined: this coordinator keeps no memory of flows. */
  readonly replay?: ReplayView | undefined;
  readonly risks: readonly RiskView[];
}

export interface ShownNode {
  readonly status: NodeStatus;
  readonly joined: Date | undefined;
  readonly enrolmentKeySha256: string;
  readonly services: readonly string[];
}

export interface Control {
  plan(sources: readonly SourceText[], operator: OperatorSession | undefined): Promise<Plan>;
  apply(request: ApplyRequest, signal: AbortSignal): AsyncIterable<ApplyEvent>;
  history(): Promise<HistoryResponse>;
  /** The files of a revision. */
  meshFile(revision: number): Promise<SourceText[]>;
  /** One snapshot, or with `follow` one per change. */
  watchStatus(follow: boolean, signal: AbortSignal): AsyncIterable<FleetStatus>;
  showNode(name: string): Promise<ShownNode>;
  addNode(request: AddNodeRequest): Promise<AddNodeResponse>;
  removeNode(name: string): Promise<RemoveNodeResponse>;
  banNode(request: BanNodeRequest): Promise<BanNodeResponse>;
  unbanNode(request: BanNodeRequest): Promise<BanNodeResponse>;
  why(request: WhyRequest): Promise<WhyView>;
  /** @param node empty: of all */
  observations(node: string): Promise<ObservedView>;
  version(): Promise<string>;
  close(): void;
}
