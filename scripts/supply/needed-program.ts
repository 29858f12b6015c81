// In: a program a build needs and the Debian packages that bring it. Out: nothing, once it is there: installed by apt
// where we are root, else an error that says what to install.
import { WeftError } from "@weft/shared/errors/weft-error";
import { execa } from "execa";

export interface NeededProgram {
  readonly command: string;
  /** arguments that make it answer and exit 0 */
  readonly probe: readonly string[];
  readonly packages: readonly string[];
}

export async function ensureProgram(
  needed: NeededProgram,
  signal: AbortSignal,
  line: (text: string) => void,
): Promise<void> {
  if (await answers(needed, signal)) return;
  const packages = needed.packages.join(" ");
  if (process.getuid?.() !== 0)
    throw new WeftError("WEFT-E300", `${needed.command} is needed and not here`, {
      hint: `install ${packages}, or run this as root`,
    });
  line(`installing ${packages} (apt)`);
  const env = { DEBIAN_FRONTEND: "noninteractive" };
  const options = { env, reject: false, cancelSignal: signal, stdin: "ignore", all: true } as const;
  await execa("apt-get", ["update", "-qq"], options);
  const install = await execa(
    "apt-get",
    ["install", "-y", "-qq", "--no-install-recommends", ...needed.packages],
    options,
  );
  signal.throwIfAborted();
  if (install.exitCode === 0 && (await answers(needed, signal))) return;
  throw new WeftError("WEFT-E300", `${packages} could not be installed`, {
    why: (install.all ?? "").trim().split("\n").slice(-3).join("\n"),
    hint: `install ${packages} by hand and run this again`,
  });
}

async function answers(needed: NeededProgram, signal: AbortSignal): Promise<boolean> {
  const { exitCode } = await execa(needed.command, needed.probe, {
    reject: false,
    cancelSignal: signal,
    stdin: "ignore",
    timeout: 30_000,
  });
  signal.throwIfAborted();
  return exitCode === 0;
}
