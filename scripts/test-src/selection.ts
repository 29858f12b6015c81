// In: the suites with their test files, and the pattern of --only. Out: which suites run, with which files.
import type { Suite } from "./suites.ts";

export interface Selected {
  readonly suite: Suite;
  readonly files: readonly string[];
}

/**
 * The pattern is a suite's name, or a part of the paths that run. Without one everything runs, and a suite without
 * files stays in, so that it can fail for it.
 */
export function select(all: readonly Selected[], pattern: string | undefined): readonly Selected[] {
  if (pattern === undefined) return all;
  const named = all.filter(({ suite }) => suite.name === pattern);
  if (named.length > 0) return named;
  return all
    .map(({ suite, files }) => ({ suite, files: files.filter((file) => file.includes(pattern)) }))
    .filter(({ files }) => files.length > 0);
}
