// In: a folder with the programs of one version, made beside. Out: it in the place of the one before. There is no moment in which
// the place holds a part of one: between two renames it holds nothing, and whoever comes next puts the old one back.
import { ciliumPlaces } from "@weft/shared/render/cilium-places";
import type { Files } from "../host/host.ts";

const place = ciliumPlaces.programs;
export const nextPrograms = `${place}.new`;
const formerPrograms = `${place}.old`;

/** What an earlier run left that was killed. */
export async function clearPrograms(files: Files): Promise<void> {
  await files.removeTree(nextPrograms);
  if ((await files.info(formerPrograms)) === undefined) return;
  if ((await files.info(place)) === undefined) await files.rename(formerPrograms, place);
  else await files.removeTree(formerPrograms);
}

export async function placePrograms(files: Files): Promise<void> {
  if ((await files.info(place)) !== undefined) await files.rename(place, formerPrograms);
  try {
    await files.rename(nextPrograms, place);
  } finally {
    await clearPrograms(files);
  }
}
