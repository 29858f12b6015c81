// In: what every node is to enforce by a mesh. Out: what that says of a connection between two services. Pure.
import type { DesiredContent } from "@weft/shared/model/desired";
import type { Contents } from "./connections.ts";
import { ContentJudge } from "./content-judge.ts";
import type { ServiceFlow } from "./service-flows.ts";

/** unjudged: it passes because one of its ends is not declared there, so that no policy speaks of it. */
export type FlowVerdict = "allowed" | "refused" | "unjudged";

export class StateJudge {
  readonly #contents: Contents;
  /** Made when they are asked: most nodes of a large mesh are not. */
  readonly #judges = new Map<string, ContentJudge>();

  constructor(contents: Contents) {
    this.#contents = contents;
  }

  contentOf(node: string): DesiredContent | undefined {
    return this.#contents.get(node);
  }

  verdict({ fromNode, user, source, toNode, destination, port }: ServiceFlow): FlowVerdict {
    const wanted = { protocol: "tcp", port } as const;
    const sender = this.#judge(fromNode);
    const receiver = this.#judge(toNode);
    if (sender?.sends(user, destination, wanted).passes === false) return "refused";
    if (receiver?.receives(source, wanted).passes === false) return "refused";
    const isDeclared =
      sender?.content.address === source &&
      sender.content.identity.workloads.some((workload) => workload.user === user) &&
      receiver?.content.address === destination &&
      receiver.endpoint(wanted) !== undefined;
    return isDeclared ? "allowed" : "unjudged";
  }

  #judge(node: string): ContentJudge | undefined {
    const known = this.#judges.get(node);
    const content = this.#contents.get(node);
    if (known !== undefined || content === undefined) return known;
    const judge = new ContentJudge(content);
    this.#judges.set(node, judge);
    return judge;
  }
}
