// In: a state that a node was given. Out: what it says the node is to be, without what only says which state it is. Pure.
import type { DesiredContent, DesiredState } from "../model/desired.ts";

/** Whatever content has, without a list of its fields: one that is left out would have another digest. */
export function contentOf(state: DesiredState): DesiredContent {
  const {
    generation: _generation,
    digest: _digest,
    revision: _revision,
    confirmTimeoutSeconds: _confirmTimeout,
    keepEstablished: _keepEstablished,
    ...content
  } = state;
  return content;
}
