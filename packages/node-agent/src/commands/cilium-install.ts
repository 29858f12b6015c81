// `weft-node-agent cilium install ARCHIVE [--digest sha256:...]`: the programs of Cilium on this machine, from its official image,
// each byte under a digest that is trusted. In place are all of them or, where anything is wrong, those that were there before.
import { WeftError } from "@weft/shared/errors/weft-error";
import { ciliumPlaces } from "@weft/shared/render/cilium-places";
import type { Files, Host } from "../host/host.ts";
import { decideVersion } from "../image/decide-version.ts";
import type { ImageArchive } from "../image/image-archive.ts";
import type { KnownImage } from "../image/known-images.ts";
import { isSelfContained } from "../image/parse-elf.ts";
import { digestForm } from "../image/parse-image.ts";
import { clearPrograms, nextPrograms, placePrograms } from "../image/program-folder.ts";
import type { TrustedImage } from "../image/trusted-image.ts";
import type { CommandContext } from "./context.ts";
import { type ExitCode, exitCodes } from "./exit-code.ts";
import { narration } from "./narration.ts";

export interface InstallQuestion {
  readonly archive: string;
  readonly digest: string | undefined;
  /** As Node calls it. */
  readonly architecture: string;
  /** Taken without a digest. */
  readonly known: readonly KnownImage[];
}

const architectures: Readonly<Record<string, string>> = { x64: "amd64", arm64: "arm64" };
const needed = "this machine needs clang 18 or newer";
const compiler = `${nextPrograms}/bin/clang`;

export async function runCiliumInstall(
  context: CommandContext,
  question: InstallQuestion,
): Promise<ExitCode> {
  const { host, terminal, signal } = context;
  const { archive, digest, known } = question;
  if (!context.isRoot)
    throw new WeftError("WEFT-E006", "putting programs on this machine needs root", {
      hint: "run it with sudo",
    });
  if (digest !== undefined && !digestForm.test(digest))
    throw new WeftError("WEFT-E001", `"${digest}" is no digest`, {
      hint: "like sha256:, then 64 hex digits",
    });
  const architecture = architectures[question.architecture];
  if (architecture === undefined)
    throw new WeftError("WEFT-E007", `there is no Cilium for ${question.architecture}`);
  const say = narration(host.clock, terminal.out);
  // read here alone: the agent, which has a budget, never needs it
  const { openArchive } = await import("../image/image-archive.ts");
  const { findTrusted } = await import("../image/trusted-image.ts");
  const opened = await openArchive(host.files, archive);
  const image = await findTrusted(opened, { digest, known }, `linux/${architecture}`);
  const expected = known.find((one) => one.digest === image.digest)?.version;
  say(`${image.digest} is ${expected === undefined ? "what you named" : `Cilium ${expected}`}`);
  await clearPrograms(host.files);
  try {
    await unpack(host.files, opened, image, signal, say);
    say(await settleCompiler(host.files));
    const version = await versionOf(host, expected);
    signal.throwIfAborted();
    await placePrograms(host.files);
    terminal.out(
      `Cilium ${version} is in ${ciliumPlaces.programs}; where this node enforces with it, its agent is restarted by itself within seconds`,
    );
    return exitCodes.done;
  } finally {
    await clearPrograms(host.files);
  }
}

async function unpack(
  files: Files,
  archive: ImageArchive,
  { layers }: TrustedImage,
  signal: AbortSignal,
  say: (line: string) => void,
): Promise<void> {
  const { LayerUnpacker } = await import("../image/unpack-layers.ts");
  const unpacker = new LayerUnpacker(files, archive, nextPrograms);
  for (const [index, layer] of layers.entries()) {
    await unpacker.unpack(layer, signal);
    say(`layer ${index + 1} of ${layers.length} is right (${Math.ceil(layer.size / 2 ** 20)} MiB)`);
  }
  unpacker.assertWhole();
}

/** One that needs libraries of the image would find others here, or none. */
async function settleCompiler(files: Files): Promise<string> {
  if ((await files.info(compiler)) === undefined) return `the image has no clang: ${needed}`;
  if (isSelfContained(await headOf(files, compiler)))
    return "its own clang is taken, and this machine needs none";
  await files.remove(compiler);
  return `its clang needs libraries of the image and is left out: ${needed}`;
}

async function headOf(files: Files, path: string): Promise<Uint8Array> {
  for await (const part of files.parts(path)) return part;
  return new Uint8Array();
}

async function versionOf({ exec }: Host, expected: string | undefined): Promise<string> {
  const { stdout } = await exec.run(`${nextPrograms}/cilium-agent`, ["--version"]);
  return decideVersion(stdout, expected);
}
