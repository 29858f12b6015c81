// In: a machine, its kernel's release, names of options. Out: their values, and the file they were read from. Never guessed:
// where neither file can be read, that is said.
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import type { KernelOption } from "@weft/shared/model/cilium";
import type { Files } from "../host/host.ts";
import { parseKernelConfig } from "./parse-kernel-config.ts";

export interface KernelOptions {
  readonly kernelConfig: string;
  readonly kernelOptions: readonly KernelOption[];
}

/** The largest configurations have 300 KiB. */
const mostBytes = 4 * 1024 * 1024;
const unzip = promisify(gunzip);

export async function readKernelOptions(
  files: Files,
  release: string,
  names: readonly string[],
): Promise<KernelOptions> {
  const zipped = "/proc/config.gz";
  const plain = `/boot/config-${release}`;
  const bytes = await files.read(zipped);
  const [kernelConfig, text] =
    bytes === undefined
      ? [plain, await files.readText(plain)]
      : [zipped, (await unzip(bytes, { maxOutputLength: mostBytes })).toString("utf8")];
  if (text === undefined) throw new Error(`there is neither ${zipped} nor ${plain}`);
  const kernelOptions = parseKernelConfig(text, names);
  if (kernelOptions === undefined) throw new Error(`${kernelConfig} is no kernel configuration`);
  return { kernelConfig, kernelOptions };
}
