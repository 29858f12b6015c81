// In: what became of established flows that are forbidden now, on one node. Out: it in words; empty: nothing to say. Pure.
import type { CutReport } from "@weft/shared/model/report";

function flows(count: number): string {
  return count === 1 ? "1 flow that is forbidden now" : `${count} flows that are forbidden now`;
}

export function cutText({ ended, failed, kept, leftUnknown }: CutReport): string {
  const parts = [
    ended > 0 ? `ended ${flows(ended)}` : "",
    failed > 0 ? `could not end ${flows(failed)}` : "",
    kept > 0 ? `keeps ${flows(kept)}, as asked` : "",
    leftUnknown > 0 ? `left ${leftUnknown} that the rules give no clear answer for` : "",
  ];
  return parts.filter((part) => part !== "").join(", ");
}
