// In: what is known of a node, and since when somebody listens. Out: its word on the change it was given. Pure.
import { conditionKinds } from "@weft/shared/model/condition";
import type { Fleet } from "../fleet/fleet.ts";
import { hasFailed, isEnforced, isMember, lostAfterMs, type NodeView } from "../fleet/node-view.ts";
import { refusalOf } from "./apply-watch.ts";
import type { CourseWord } from "./course.ts";

/** Words of nodes that are listened to from now on. */
export function listenFrom(fleet: Pick<Fleet, "view">, now: () => Date): (node: string) => CourseWord {
  const since = now();
  return (node) => courseWord(fleet.view(node), now(), since);
}

/** @param listeningSince nobody could be heard before: silence is counted from then */
export function courseWord(view: NodeView, now: Date, listeningSince: Date): CourseWord {
  const errors = (view.report?.conditions ?? [])
    .map(({ code }) => code)
    .filter((code) => conditionKinds[code].severity === "error");
  const isThere = view.connected && isMember(view);
  const said = (standing: CourseWord["standing"], detail = ""): CourseWord => ({
    standing,
    detail,
    isThere,
    errors,
  });
  if (!isMember(view)) return said("gone");
  if (isEnforced(view)) return said("enforced");
  if (hasFailed(view)) {
    const { phase, detail } = refusalOf(view);
    return said(phase === "reverted" ? "reverted" : "failed", detail);
  }
  const heard = Math.max(view.lastSeen?.getTime() ?? 0, listeningSince.getTime());
  return said(!view.connected && now.getTime() - heard > lostAfterMs ? "lost" : "working");
}
