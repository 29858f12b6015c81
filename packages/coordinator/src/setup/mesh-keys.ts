// In: what keys are there, and a passphrase if one is needed. Out: the sealed mesh root and the online signing key are
// on disk. The root is open only within this file, and written before anything is signed with it.
import { randomUUID } from "node:crypto";
import { WeftError } from "@weft/shared/errors/weft-error";
import type { Terminal } from "../cli/terminal.ts";
import {
  checkPassphrase,
  makeMeshRoot,
  openRoot,
  readSealedHeader,
  type sealRoot,
} from "../trust/mesh-root.ts";
import { issueOnlineKey, type OnlineKey, parseOnlineKey } from "../trust/online-key.ts";
import type { InitWish } from "./init-wish.ts";
import type { Machine, Owner } from "./machine.ts";
import { places } from "./places.ts";

/** An online key that ends sooner than this is replaced while the root is at hand. */
const renewalMs = 30 * 24 * 3600 * 1000;

export type KeyPlan =
  | { readonly kind: "keep"; readonly key: OnlineKey }
  | { readonly kind: "sign"; readonly sealed: string }
  | { readonly kind: "make" };

/** What is to be done about the keys; everything but "keep" needs the passphrase. */
export async function planKeys(machine: Machine, now: Date): Promise<KeyPlan> {
  const sealed = await machine.readText(places.sealedRoot);
  const online = await machine.readText(places.onlineKey);
  const key = online === undefined ? undefined : parseOnlineKey(online);
  const lasting = key !== undefined && key.notAfter.getTime() - now.getTime() > renewalMs;
  if (key !== undefined && (lasting || sealed === undefined)) return { kind: "keep", key };
  if (sealed === undefined) return { kind: "make" };
  if (key !== undefined && readSealedHeader(sealed).pin !== key.pin)
    throw new WeftError("WEFT-E101", "the sealed mesh root and the signing key are of different meshes", {
      why: `${places.sealedRoot} and ${places.onlineKey} do not belong together.`,
    });
  return { kind: "sign", sealed };
}

export async function obtainPassphrase(
  plan: KeyPlan,
  wish: InitWish,
  machine: Machine,
  terminal: Terminal,
): Promise<string> {
  if (wish.passphraseFile !== undefined) {
    const text = await machine.readText(wish.passphraseFile);
    if (text === undefined) throw new WeftError("WEFT-E001", `there is no file ${wish.passphraseFile}`);
    const passphrase = text.replace(/\r?\n$/, "");
    checkPassphrase(passphrase);
    return passphrase;
  }
  const ask = async (prompt: string): Promise<string> => {
    const typed = await terminal.askSecret(prompt);
    if (typed !== undefined) return typed;
    throw new WeftError("WEFT-E001", "there is nobody to ask for the passphrase of the mesh root", {
      why: "Standard input is no terminal.",
      hint: "run this on a terminal, or give --passphrase-file FILE",
    });
  };
  if (plan.kind === "sign") return ask("passphrase of the mesh root: ");
  const passphrase = await ask("new passphrase for the mesh root: ");
  checkPassphrase(passphrase);
  if ((await ask("the same again: ")) !== passphrase)
    throw new WeftError("WEFT-E001", "the two passphrases differ", { hint: "run `weft init` again" });
  return passphrase;
}

async function putOnlineKey(machine: Machine, owner: Owner, text: string): Promise<OnlineKey> {
  await machine.makeDirectory(places.state, 0o700, owner);
  await machine.writeFile(places.onlineKey, text, 0o600, owner);
  return parseOnlineKey(text);
}

/** @param passphrase undefined only where the plan is to keep */
export async function layKeys(
  machine: Machine,
  plan: KeyPlan,
  wish: InitWish,
  passphrase: string | undefined,
  now: Date,
  seal: typeof sealRoot,
): Promise<OnlineKey> {
  if (plan.kind === "keep") return plan.key;
  const owner = await machine.user("weft");
  if (owner === undefined || passphrase === undefined)
    throw new Error("neither user nor passphrase were checked");
  if (plan.kind === "sign") {
    const root = openRoot(plan.sealed, passphrase);
    return putOnlineKey(machine, owner, issueOnlineKey(root, readSealedHeader(plan.sealed).meshId, now));
  }
  const root = makeMeshRoot();
  const meshId = randomUUID();
  await machine.makeDirectory(places.configuration, 0o755);
  await machine.writeFile(places.sealedRoot, seal(root, { mesh: wish.mesh, meshId, passphrase }), 0o600);
  return putOnlineKey(machine, owner, issueOnlineKey(root, meshId, now));
}
