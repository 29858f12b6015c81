// In: a mesh and top-level fields of its file. Out: where the first of them that is there was written. Pure.
import type { Mesh, Place } from "@weft/shared/model/mesh";

/** undefined: none of them is there. */
export function meshPlace(mesh: Mesh, ...fields: readonly string[]): Place | undefined {
  return fields.map((field) => mesh.places?.[field]).find((place) => place !== undefined);
}
