// In: the compiler of the mesh file, and the bans there are. Out: a compiler whose every result holds the bans of this moment:
// whoever compiles, to apply, to plan, to replay or to explain, sees them. A ban is no word of the mesh file.
import { withBans } from "../compile/bans.ts";
import { bannedAddresses } from "../enrolment/banned-addresses.ts";
import type { BanTable } from "../store/store.ts";
import type { MeshCompiler } from "./mesh-compiler.ts";

export function banningCompiler(inner: MeshCompiler, bans: Pick<BanTable, "list">): MeshCompiler {
  return {
    ...inner,
    compile(mesh) {
      const contents = inner.compile(mesh);
      const banned = bannedAddresses(bans.list(), contents);
      // the very same values: their digests are known
      return banned.length === 0 ? contents : withBans(contents, banned);
    },
  };
}
