// In: a mode and the zone. Out: the host's resolver pointed at weft-dns, and its exact inverse. Nothing is changed before
// weft-dns answers, and what does not prove itself through nss is given back at once.
import { isWeftError, messageOf, WeftError } from "@weft/shared/errors/weft-error";
import type { StepArgs } from "@weft/shared/model/step";
import type { Executor, Undo } from "../apply/executor.ts";
import type { Host } from "../host/host.ts";
import { addressesFromResolver, proveLookups, proveUpstreams } from "./nss-proof.ts";
import { originalPath, readOriginal, writeOriginal } from "./original.ts";
import type { DnsClient } from "./query.ts";
import { giveResolvConf, type Returned, resolvConfState, takeResolvConf } from "./resolv-conf-file.ts";
import { createLink, deleteLink, linkExists, observeLink } from "./resolved-link.ts";

/** CoreDNS answers a quarter of a second after its start; a busy machine takes longer. */
const startMs = 10_000;
const proofMs = 5000;

type Mode = StepArgs["takeResolver"]["mode"];

export class TakeResolver implements Executor<"takeResolver"> {
  readonly #host: Host;
  readonly #client: DnsClient;

  constructor(host: Host, client: DnsClient) {
    this.#host = host;
    this.#client = client;
  }

  async apply(args: StepArgs["takeResolver"], signal: AbortSignal): Promise<Undo> {
    const expected = await addressesFromResolver(this.#host, this.#client, args.probe, startMs, signal);
    await proveUpstreams(this.#client, args.upstreams);
    signal.throwIfAborted();
    const undo = async () => {
      await giveBack(this.#host);
    };
    await takeOver(this.#host, args.mode, args.zone);
    try {
      await proveLookups(this.#host, args.zone, args.probe, expected, proofMs, signal);
    } catch (failure) {
      await undo();
      throw new WeftError(
        "WEFT-E401",
        "the host's resolver was given back: the takeover did not prove itself",
        {
          why: [messageOf(failure), isWeftError(failure) ? failure.why : undefined]
            .filter(Boolean)
            .join(": "),
          hint: "read the detail; the old resolver is in force, unchanged",
          cause: failure,
        },
      );
    }
    return undo;
  }

  async verify(args: StepArgs["takeResolver"], signal: AbortSignal): Promise<void> {
    const state = await inForce(this.#host, args.mode, args.zone);
    if (state !== undefined)
      throw new WeftError("WEFT-E401", "the host's resolver is not taken over", { why: state });
    const expected = await addressesFromResolver(this.#host, this.#client, args.probe, proofMs, signal);
    await proveLookups(this.#host, args.zone, args.probe, expected, proofMs, signal);
  }
}

export class GiveResolver implements Executor<"giveResolver"> {
  readonly #host: Host;

  constructor(host: Host) {
    this.#host = host;
  }

  async apply(): Promise<Undo> {
    const original = await readOriginal(this.#host.files);
    const returned = await giveBack(this.#host);
    return async () => {
      // a file that was left to somebody else must not be taken from them on the way back
      if (original !== undefined && returned.kind === "given")
        await takeOver(this.#host, original.mode, original.zone);
    };
  }

  async verify(): Promise<void> {
    const { files } = this.#host;
    const original = await readOriginal(files);
    const state = await resolvConfState(files, original);
    const link = await linkExists(this.#host);
    if (original === undefined && !link && state.kind === "original") return;
    throw new WeftError("WEFT-E401", "the host's resolver is not given back", {
      why: `record: ${original?.mode ?? "none"}, link: ${link ? "there" : "none"}, resolv.conf: ${state.kind}`,
    });
  }
}

/** For `leave` and for undo: whatever mode is in force, or half in force. */
export async function giveBack(host: Host): Promise<Returned> {
  await deleteLink(host);
  const original = await readOriginal(host.files);
  if (original?.mode !== "resolved-link") return await giveResolvConf(host.files, original);
  await host.files.remove(originalPath);
  return { kind: "given" };
}

/** Whole, or not at all. */
async function takeOver(host: Host, mode: Mode, zone: string): Promise<void> {
  // the record of the other mode must not be lost under the new one
  const known = await readOriginal(host.files);
  if (known !== undefined && known.mode !== mode) await giveBack(host);
  if (mode === "file") {
    await takeResolvConf(host.files, zone);
    return;
  }
  await writeOriginal(host.files, { mode, zone });
  try {
    await createLink(host, zone);
  } catch (failure) {
    await giveBack(host);
    throw failure;
  }
}

/** What is missing, or undefined when the takeover is in force. */
async function inForce(host: Host, mode: Mode, zone: string): Promise<string | undefined> {
  if (mode === "resolved-link")
    return (await observeLink(host, zone)).inForce
      ? undefined
      : "systemd-resolved does not send the zone to weft-dns";
  const state = await resolvConfState(host.files, await readOriginal(host.files));
  return state.kind === "ours" ? undefined : `/etc/resolv.conf is ${state.kind}`;
}
