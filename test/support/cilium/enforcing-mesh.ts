// In: the text of a random mesh file (arbitrary-mesh.ts). Out: the same with some nodes that enforce with Cilium, line for line.

/** Without what is refused always, so that what is left can be compared. */
export function calmed(text: string): string {
  return text
    .split("\n")
    .filter((line) => !line.includes("ports: [icmp]"))
    .join("\n")
    .replaceAll(", icmp]", "]")
    .replaceAll("22/tcp", "2222/tcp")
    .replaceAll("mode: audit", "mode: enforce")
    .replace(/admin: \[[^\]]*\]/, "admin: []")
    .replace(/^baseline:\n(?: {2}- .*\n)*/m, "");
}

/** What such nodes share; a mesh without any may say it, too. */
export const ciliumSection =
  "cilium: { etcd: { members: [https://10.78.0.1:2379], ca: /etc/etcd/ca.pem }, ranges: 10.42.0.0/16 }\n";

/** @param nodes none: all of them on nftables */
export function enforcing(text: string, nodes: readonly string[]): string {
  const named = text.replaceAll(
    /^( {2}\w+: \{ nodes: \[.*?\], user: \w+), ports/gm,
    (_all, head: string) => `${head}, unit: ${/\w+/.exec(head)?.[0]}.service, ports`,
  );
  const placed = nodes.reduce(
    (left, node, index) =>
      left.replace(
        new RegExp(`^( {2}${node}: \\{ address: [^,]+)`, "m"),
        `$1, enforcement: cilium, range: 10.42.${index}.0/28`,
      ),
    named,
  );
  return `${placed}${ciliumSection}`;
}
