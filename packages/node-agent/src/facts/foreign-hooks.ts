// In: a machine. Out: the base chains of others in its kernel, and the tables of the old iptables, which nft does not see.
import { foreignHooks } from "@weft/shared/kernel-verdict/foreign-hooks";
import { parseRuleset } from "@weft/shared/kernel-verdict/ruleset";
import type { ForeignHook } from "@weft/shared/model/facts";
import type { Files, Host } from "../host/host.ts";

export async function readForeignHooks(host: Host): Promise<ForeignHook[]> {
  const { stdout } = await host.exec.run("nft", ["-j", "list", "ruleset"]);
  return foreignHooks(parseRuleset(stdout), await legacyTableNames(host.files));
}

/** Like "iptables-legacy filter". */
export async function legacyTableNames(files: Files): Promise<string[]> {
  const texts = await Promise.all(
    ["ip_tables_names", "ip6_tables_names"].map((name) => files.readText(`/proc/net/${name}`)),
  );
  return texts.flatMap((text, index) =>
    (text ?? "")
      .split("\n")
      .filter((name) => name !== "")
      .map((name) => `${index === 0 ? "iptables" : "ip6tables"}-legacy ${name}`),
  );
}
