// In: what an agent of Cilium prints as its version. Out: that version, if this release knows how to drive it. Pure.
import { WeftError } from "@weft/shared/errors/weft-error";
import { ciliumReleases } from "../decide/cilium-releases.ts";

/** @param expected what the image is known as. Throws WEFT-E300 */
export function decideVersion(printed: string, expected: string | undefined): string {
  const version = /^cilium-agent (?<version>\d+\.\d+\.\d+\S*)/i.exec(printed)?.groups?.["version"];
  if (version === undefined)
    throw new WeftError("WEFT-E300", "the image's agent does not say which version it is", {
      why: `It prints ${JSON.stringify(printed.trim().slice(0, 200))}.`,
    });
  const lines = ciliumReleases.map((release) => release.version);
  if (!lines.includes(version.replace(/^(\d+\.\d+)\..*$/, "$1.x")))
    throw new WeftError("WEFT-E300", `the image has Cilium ${version}`, {
      why: `This release of Weft drives ${lines.join(" and ")}, and no other.`,
      hint: "take an image of one of these",
    });
  if (expected !== undefined && version !== expected)
    throw new WeftError(
      "WEFT-E300",
      `the image is known as Cilium ${expected}, and its agent says ${version}`,
    );
  return version;
}
