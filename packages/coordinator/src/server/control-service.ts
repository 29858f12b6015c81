// In: calls on the control socket. Out: their answers. Translates between the wire and the coordinator; who calls is
// whoever may open the socket, and the name that comes along is recorded as a claim.

import { WeftError } from "@weft/shared/errors/weft-error";
import type { ControlServiceServer } from "@weft/shared/gen/weft/v1/control";
import { toNumber } from "@weft/shared/wire/number";
import { encodeProblem } from "@weft/shared/wire/problem-codec";
import { encodeFleetStatus, encodeNodeStatus } from "@weft/shared/wire/status-codec";
import type { Coordinator } from "../coordinator.ts";
import { sha256Hex } from "../enrolment/enrolment-key.ts";
import { defaultTokenSeconds } from "../enrolment/membership.ts";
import type { Fleet } from "../fleet/fleet.ts";
import { isMember, statusOf } from "../fleet/node-view.ts";
import { groupRisks } from "../guard/acceptance.ts";
import type { BanDesk } from "../rollout/ban-desk.ts";
import type { MeshAuthority } from "../rollout/mesh-authority.ts";
import { outcomesOf } from "../rollout/outcomes.ts";
import type { Store } from "../store/store.ts";
import { ApplyDesk } from "./apply-desk.ts";
import { banService } from "./ban-service.ts";
import type { Explaining } from "./explaining.ts";
import type { Handlers } from "./handlers.ts";
import { decodeOperator } from "./operator-session.ts";
import { feedStatus } from "./status-feed.ts";

export interface ControlServiceParts {
  readonly handlers: Handlers;
  readonly coordinator: Coordinator;
  readonly explaining: Explaining;
  readonly bans: BanDesk;
  readonly authority: MeshAuthority;
  readonly fleet: Fleet;
  readonly store: Store;
  readonly pin: string;
  readonly address: string;
  readonly version: string;
  readonly now: () => Date;
}

export function controlService(parts: ControlServiceParts): ControlServiceServer {
  const { handlers, coordinator, authority, fleet, store, now } = parts;
  const applying = new ApplyDesk(parts);

  const requireNode = (name: string) => {
    const view = fleet.view(name);
    if (view.address === "" && view.enrolment === undefined)
      throw new WeftError("WEFT-E103", `there is no node "${name}"`, {
        hint: "`weft node list` names those there are",
      });
    return view;
  };

  return {
    plan: handlers.unary("Plan", async ({ sources, operator }) => {
      const replay = await parts.explaining.replayer.plan(sources);
      const { problems, baseRevision, changes, risks } = authority.plan(sources, decodeOperator(operator));
      return {
        problems: problems.map(encodeProblem),
        baseRevision: BigInt(baseRevision),
        nodes: changes.map(({ node, words, diff }) => ({
          node,
          words: [...words],
          diff,
          enrolled: isMember(fleet.view(node)),
        })),
        replay,
        risks: groupRisks(risks),
      };
    }),

    apply: handlers.streaming("Apply", (request, send, signal) => applying.apply(request, send, signal)),

    history: handlers.unary("History", () => {
      const revisions = store.revisions.list();
      const outcomes = outcomesOf(revisions, store.rollouts.list());
      return {
        revisions: revisions.map((entry) => ({
          ...entry,
          revision: BigInt(entry.revision),
          outcome: outcomes.get(entry.revision)?.outcome ?? "",
          outcomeDetail: outcomes.get(entry.revision)?.detail ?? "",
          restores: BigInt(entry.restores ?? 0),
        })),
      };
    }),

    meshFile: handlers.unary("MeshFile", ({ revision }) => {
      const wanted = revision === 0n ? authority.revision : toNumber(revision, "revision");
      const sources = store.revisions.sources(wanted);
      if (sources === undefined) throw new WeftError("WEFT-E103", `there is no revision ${wanted}`);
      return { revision: BigInt(wanted), sources };
    }),

    watchStatus: handlers.streaming("WatchStatus", async ({ follow, node }, send, signal) => {
      if (node !== "") requireNode(node);
      const snapshot = () => {
        const status = coordinator.status();
        const nodes = node === "" ? status.nodes : status.nodes.filter(({ name }) => name === node);
        return send(encodeFleetStatus({ ...status, nodes }));
      };
      if (follow) await feedStatus({ fleet, now, signal, send: snapshot });
      else await snapshot();
    }),

    showNode: handlers.unary("ShowNode", ({ name }) => {
      const view = requireNode(name);
      const node = store.nodes.get(name);
      const services = authority.mesh?.services ?? [];
      return {
        status: encodeNodeStatus(statusOf(view, now())),
        joined: node?.joinedAt,
        enrolmentKeySha256: node === undefined ? "" : sha256Hex(node.enrolmentKey),
        services: services.filter((service) => service.nodes.includes(name)).map((service) => service.name),
      };
    }),

    addNode: handlers.unary("AddNode", ({ name, ttlSeconds, fromAny }) => {
      const ttl = ttlSeconds === 0 ? defaultTokenSeconds : ttlSeconds;
      const { token, expires } = coordinator.nodes.add(name, ttl, fromAny);
      return { token, pin: parts.pin, coordinatorAddress: parts.address, expires };
    }),

    removeNode: handlers.unary("RemoveNode", async ({ name }) => ({
      done: await coordinator.nodes.remove(name),
    })),

    ...banService({ handlers, bans: parts.bans, fleet, now }),

    why: handlers.unary("Why", (request) => parts.explaining.why.why(request)),

    observations: handlers.unary("Observations", ({ node }) => parts.explaining.flows.observations(node)),

    version: handlers.unary("Version", () => ({ version: parts.version })),
  };
}
