// In: a service that is to have a network namespace. Out: the namespace with its link there, as its file has it, and what the
// link is now.
// The work is done by weft-netns@SERVICE.service: the agent itself may make no namespaces.
import { WeftError } from "@weft/shared/errors/weft-error";
import { asList, asObject } from "@weft/shared/kernel-verdict/json";
import { endpointFile, namespacePath, namespaceUnit } from "@weft/shared/render/cilium-places";
import type { Host } from "../host/host.ts";
import type { StepBook } from "./step-book.ts";

export interface OuterLink {
  readonly name: string;
  readonly index: number;
  /** It is made down, and nothing comes by it. */
  readonly isUp: boolean;
  /** Just made: whoever should be in the namespace could not start before. */
  readonly isNew: boolean;
}

export interface NamespaceWish {
  readonly service: string;
  readonly link: string;
  /** Of the file that it is made from. */
  readonly text: string;
}

/** A lost link is made again under the service; a lost namespace takes the unit's restart, and with it the service's. */
export async function ensureNamespace(
  host: Host,
  book: StepBook,
  { service, link, text }: NamespaceWish,
): Promise<OuterLink> {
  const { files, units } = host;
  const unit = namespaceUnit(service);
  const file = endpointFile(service);
  const before = await files.readText(file);
  if (before !== text) await files.write(file, text);
  const { active } = await units.state(unit);
  const isNew = active !== "active" || !(await hasNamespace(host, service));
  if (active !== "active") await book.do("makeNamespace", service, () => units.start(unit));
  else if (isNew) await book.do("remakeNamespace", service, () => units.restart(unit));
  else if (before !== text)
    await book.do("changeNamespace", service, async () => {
      try {
        await (hasMoved(before, text) ? units.restart(unit) : units.reloadUnit(unit));
      } catch (failure) {
        // with the file as it should be, the next look would find nothing to do
        await files.remove(file);
        throw failure;
      }
    });
  else if ((await outerLink(host, link)) === undefined)
    await book.do("remakeLink", service, () => units.reloadUnit(unit));
  const found = await outerLink(host, link);
  if (found !== undefined) return { ...found, isNew };
  throw new WeftError("WEFT-E402", `${unit} has made no link ${link}`, {
    hint: `read journalctl -u ${unit}`,
  });
}

/** What is connected from an address ends with it: the service is restarted. */
function hasMoved(before: string | undefined, text: string): boolean {
  const addressIn = (file: string) => /^ADDRESS=.*$/m.exec(file)?.[0];
  return before !== undefined && addressIn(before) !== addressIn(text);
}

async function hasNamespace({ files }: Host, service: string): Promise<boolean> {
  return (await files.info(namespacePath(service))) !== undefined;
}

/** Once its endpoint judges what comes by it; an agent that removes an endpoint sets it down. */
export async function openLink(host: Host, book: StepBook, name: string): Promise<void> {
  if ((await outerLink(host, name))?.isUp === false)
    await book.do("openLink", name, async () => {
      await host.exec.run("ip", ["link", "set", "dev", name, "up"]);
    });
}

/** undefined: there is no such link, or its other end is in no namespace of another. */
async function outerLink({ exec }: Host, name: string): Promise<Omit<OuterLink, "isNew"> | undefined> {
  const { code, stdout } = await exec.run("ip", ["-json", "link", "show", "dev", name], { allow: [0, 1] });
  if (code !== 0) return undefined;
  const [found] = asList(JSON.parse(stdout)) ?? [];
  const fields = asObject(found);
  const index = fields?.["ifindex"];
  const isPaired = fields?.["link_netnsid"] !== undefined || fields?.["link_netns"] !== undefined;
  if (typeof index !== "number" || !isPaired) return undefined;
  return { name, index, isUp: (asList(fields?.["flags"]) ?? []).includes("UP") };
}
