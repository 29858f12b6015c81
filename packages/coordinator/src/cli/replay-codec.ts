// In: what a replay found, as the coordinator tells it. Out: the same, whole. Pure.
import type { Flip, Replay } from "@weft/shared/gen/weft/v1/replay";
import { present } from "@weft/shared/wire/number";
import type { FlipView, ReplayView } from "../view/flow-model.ts";

function decodeFlip(flip: Flip): FlipView {
  return {
    ...flip,
    source: present(flip.source, "source of a flip"),
    destination: present(flip.destination, "destination of a flip"),
    lastUsed: present(flip.lastUsed, "time of a flip"),
  };
}

/** @param replay undefined: a coordinator that cannot, so nothing is known */
export function decodeReplay(replay: Replay | undefined): ReplayView | undefined {
  if (replay === undefined) return undefined;
  const { flips, unknown, since, youngest } = replay;
  return { flips: flips.map(decodeFlip), unknown, since, youngest };
}
