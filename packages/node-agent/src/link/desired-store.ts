// In: desired states as they come. Out: the last one, on disk, checked again when it is read: an agent that starts with
// its coordinator gone applies this.
import { messageOf, WeftError } from "@weft/shared/errors/weft-error";
import { DesiredState as DesiredMessage } from "@weft/shared/gen/weft/v1/desired";
import type { DesiredState } from "@weft/shared/model/desired";
import { contentDigest } from "@weft/shared/plan/content-digest";
import { contentOf } from "@weft/shared/plan/desired-content";
import { decodeDesired, encodeDesired } from "@weft/shared/wire/desired-codec";
import type { Enrolment } from "../enrol/enrolment.ts";
import type { Files } from "../host/host.ts";
import { places } from "../state/places.ts";

/** The state is for this node of this mesh, and is what its digest says. */
export function checkDesired(state: DesiredState, enrolment: Pick<Enrolment, "node" | "trustDomain">): void {
  const refuse = (why: string) =>
    new WeftError("WEFT-E003", `generation ${state.generation} of the desired state is refused`, { why });
  if (state.node !== enrolment.node) throw refuse(`it is for node ${state.node}`);
  if (state.trustDomain !== enrolment.trustDomain)
    throw refuse(`it is for trust domain ${state.trustDomain}`);
  if (contentDigest(contentOf(state)) !== state.digest) throw refuse("it is not what its digest says");
}

export async function writeDesired(files: Files, state: DesiredState): Promise<void> {
  const json = JSON.stringify(DesiredMessage.toJSON(encodeDesired(state)), undefined, 1);
  await files.write(places.desired, `${json}\n`, { mode: 0o600 });
}

export async function readDesired(files: Files): Promise<DesiredState | undefined> {
  const text = await files.readText(places.desired);
  if (text === undefined) return undefined;
  try {
    return decodeDesired(DesiredMessage.fromJSON(JSON.parse(text)));
  } catch (cause) {
    throw new WeftError("WEFT-E003", `${places.desired} is damaged`, { why: messageOf(cause), cause });
  }
}
