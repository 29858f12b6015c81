// In: nothing. Out: where etcd, etcdctl and etcdutl are: supplied as components, or in the directory WEFT_ETCD_DIR. Neither:
// undefined, and who needs them is skipped.
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";

const names = ["etcd", "etcdctl", "etcdutl"] as const;

export type EtcdPrograms = Readonly<Record<(typeof names)[number], string>>;

export function findEtcdPrograms(): EtcdPrograms | undefined {
  const components = resolve(import.meta.dirname, "../../scripts/components");
  const rows = execFileSync(components, ["--list"], { encoding: "utf8" })
    .split("\n")
    .map((line) => line.split("\t"));
  const directory = process.env["WEFT_ETCD_DIR"];
  const pathOf = (name: string) => {
    const supplied = rows.find(([component]) => component === name)?.[3] ?? "absent";
    return supplied === "absent" ? join(directory ?? "/nowhere", name) : supplied;
  };
  const [etcd, etcdctl, etcdutl] = [pathOf("etcd"), pathOf("etcdctl"), pathOf("etcdutl")];
  const missing = [etcd, etcdctl, etcdutl].filter((path) => !existsSync(path));
  if (missing.length === 0) return { etcd, etcdctl, etcdutl };
  if (directory !== undefined) throw new Error(`WEFT_ETCD_DIR: there is no ${missing.join(", ")}`);
  return undefined;
}
