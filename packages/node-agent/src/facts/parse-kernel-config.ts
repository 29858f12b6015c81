// In: the text of a kernel's configuration. Out: the options that are asked for. Pure.
import type { KernelOption } from "@weft/shared/model/cilium";

/**
 * An option that is not mentioned is not set. Undefined: this is no configuration of a kernel, so nothing can be said.
 */
export function parseKernelConfig(text: string, names: readonly string[]): KernelOption[] | undefined {
  const set = new Map<string, string>();
  for (const [, name = "", value = ""] of text.matchAll(/^CONFIG_(\w+)=(\S*)/gm)) set.set(name, value);
  if (set.size === 0) return undefined;
  return names.map((name) => {
    const value = set.get(name);
    return { name, value: value === "y" || value === "m" ? value : "n" };
  });
}
