// In: what tools print of themselves. Out: versions and kinds; empty where they say something else. Pure.

/** "Debian clang version 19.1.4 (1~deb12u1)" */
export function parseClangVersion(text: string): string {
  return /clang version (\d+(?:\.\d+)+)/.exec(text)?.[1] ?? "";
}

/** Output of `clang --print-targets`: a line for each, as "    bpf        - BPF (host endian)". */
export function hasBpfTarget(text: string): boolean {
  return /^\s*bpf\s+-/m.test(text);
}

/** "iptables v1.8.9 (nf_tables)"; before 1.8 there was the legacy kind only, and it named no kind. */
export function parseIptables(text: string): { readonly version: string; readonly form: string } {
  const [, version = "", form] = /^iptables v(\S+)(?: \((\w+)\))?/.exec(text) ?? [];
  return { version, form: version === "" ? "" : (form ?? "legacy") };
}
