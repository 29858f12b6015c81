// What the coordinator asks of the mesh file's reader and compiler, all of it pure.
import type { DesiredContent } from "@weft/shared/model/desired";
import type { Digest } from "@weft/shared/model/ids";
import type { Mesh, Problem } from "@weft/shared/model/mesh";
import type { RegistrationEntry } from "../spire/spire-server.ts";
import type { SourceText } from "../store/records.ts";

export interface LoadedMesh {
  /** undefined when one of the problems is an error. */
  readonly mesh: Mesh | undefined;
  readonly problems: readonly Problem[];
}

export interface NodeChange {
  readonly node: string;
  /** One change a line. */
  readonly words: readonly string[];
  /** Unified diff of what the node would render. */
  readonly diff: string;
}

/** By node. */
export type CompiledMesh = ReadonlyMap<string, DesiredContent>;

export interface MeshCompiler {
  load(sources: readonly SourceText[]): LoadedMesh;
  compile(mesh: Mesh): CompiledMesh;
  digest(content: DesiredContent): Digest;
  entries(mesh: Mesh): readonly RegistrationEntry[];
  changes(before: CompiledMesh, after: CompiledMesh): readonly NodeChange[];
}
