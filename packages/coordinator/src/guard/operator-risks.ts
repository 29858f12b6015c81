// In: a change, and where its operator says to sit. Out: guard ports that this address gets to now and would not get to
// after it, and the port of the hub it is connected to. Pure. A claim can only make Weft more careful: it opens nothing.
import type { DesiredContent, PortRange } from "@weft/shared/model/desired";
import { ContentJudge, type Wanted } from "../replay/content-judge.ts";
import type { MeshChange, Risk } from "./risk.ts";

/** Ranges are asked about at their ends: policy ports are ranges, too, and what lies between is like one of them. */
function portsOf(content: DesiredContent, hubPort: number): Wanted[] {
  const { guard } = content.policy;
  const wanted = guard.ports.flatMap(({ protocol, from, to }) =>
    (from === to ? [from] : [from, to]).map((port) => ({ protocol, port })),
  );
  if (guard.isCoordinator && !wanted.some(({ protocol, port }) => protocol === "tcp" && port === hubPort))
    wanted.push({ protocol: "tcp", port: hubPort });
  return wanted;
}

const isIn = ({ protocol, port }: Wanted, range: PortRange): boolean =>
  range.protocol === protocol && range.from <= port && port <= range.to;

export function operatorRisks({ before, after, members, operator }: MeshChange): Risk[] {
  if (before === undefined || operator === undefined) return [];
  return [...before.contents].flatMap(([node, content]) => {
    const now = after.contents.get(node);
    if (now === undefined || !members.has(node)) return [];
    const asked = portsOf(content, operator.port);
    // nobody else is refused anything; and indexing thousands of nodes for nothing takes its time
    if (
      !now.policy.guard.isCoordinator &&
      now.policy.baseline === undefined &&
      !now.policy.services.some(({ port }) => asked.some((each) => isIn(each, port)))
    )
      return [];
    const [was, is] = [new ContentJudge(content), new ContentJudge(now)];
    return asked
      .filter((wanted) => was.receives(operator.address, wanted).passes)
      .flatMap((wanted): Risk[] => {
        const verdict = is.receives(operator.address, wanted);
        if (verdict.passes) return [];
        const endpoint = is.endpoint(wanted);
        const why =
          endpoint === undefined
            ? verdict.by === "baseline"
              ? ", which the baseline closes"
              : ""
            : `, which becomes a port of ${endpoint.service}`;
        const service = after.mesh.services.find(({ name }) => name === endpoint?.service);
        const text = `you come from ${operator.address}, and would no longer get to ${wanted.port}/${wanted.protocol}${why}`;
        return [
          {
            code: "GUARD-OPERATOR",
            node,
            text,
            place: verdict.origin ?? service?.place,
          },
        ];
      });
  });
}
