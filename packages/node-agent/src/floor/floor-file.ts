// In: the machine. Out: its floor as it stands now, or what is wrong with the file. Only root may have been able to write
// it; otherwise it is somebody's wish and no floor. Read at every look: it is a page, and an edit needs no restart.
import { isWeftError } from "@weft/shared/errors/weft-error";
import { floorPath } from "@weft/shared/model/floor";
import type { FileInfo, Files } from "../host/host.ts";
import type { Floor } from "./floor.ts";

export type FloorLook =
  | { readonly state: "none" }
  | { readonly state: "in-force"; readonly text: string; readonly floor: Floor }
  | { readonly state: "broken"; readonly problems: readonly string[] };

const directory = "/etc/weft";
const othersMayWrite = 0o022;

export class FloorFile {
  readonly #files: Pick<Files, "info" | "readText">;
  /** Of the text read last: parsing costs more than reading. */
  #parsed: FloorLook = { state: "none" };
  #text: string | undefined;

  constructor(files: Pick<Files, "info" | "readText">) {
    this.#files = files;
  }

  async look(): Promise<FloorLook> {
    try {
      const info = await this.#files.info(floorPath);
      if (info === undefined) return { state: "none" };
      const wrong =
        wrongWith(floorPath, info, "file") ??
        wrongWith(directory, await this.#files.info(directory), "directory");
      if (wrong !== undefined) return { state: "broken", problems: [wrong] };
      const text = await this.#files.readText(floorPath);
      return text === undefined ? { state: "none" } : await this.#parse(text);
    } catch (failure) {
      if (!isWeftError(failure)) throw failure;
      return {
        state: "broken",
        problems: [`${failure.message}${failure.why === undefined ? "" : `: ${failure.why}`}`],
      };
    }
  }

  async #parse(text: string): Promise<FloorLook> {
    if (text === this.#text) return this.#parsed;
    // most machines have no floor, and need no YAML
    const { parseFloor } = await import("./parse-floor.ts");
    const { floor, problems } = parseFloor(floorPath, text);
    this.#parsed = floor === undefined ? { state: "broken", problems } : { state: "in-force", text, floor };
    this.#text = text;
    return this.#parsed;
  }
}

function wrongWith(path: string, info: FileInfo | undefined, kind: FileInfo["kind"]): string | undefined {
  if (info?.kind !== kind) return `${path} is no plain ${kind}`;
  if (info.uid !== 0) return `${path} belongs to uid ${info.uid}, not to root`;
  if ((info.mode & othersMayWrite) !== 0)
    return `${path} may be written by others than root (mode ${(info.mode & 0o777).toString(8)})`;
  return undefined;
}
