// In: the policy files a node should have. Out: each in the directory its Cilium agent watches, one change after the other, and
// whether the agent has loaded it. An agent of 1.17 to 1.19 ends when a file is gone before it was read, or cannot be read, and
// does not start over a file that it only complained of while it ran: so no file is removed or written again before its last
// change shows, and what an agent finds when it starts is what one has loaded already. Beside the directory, never in it:
// DIRECTORY.confirmed holds each file as it was last seen loaded, DIRECTORY.aside what was taken out, DIRECTORY.changing nothing.

import { refusalsOf } from "@weft/shared/cilium-file/policy-file";
import { isWeftError, WeftError } from "@weft/shared/errors/weft-error";
import type { CiliumPolicyFile } from "@weft/shared/model/cilium-policy";
import { byText } from "@weft/shared/plan/text-order";
import { type Finding, trouble } from "../doctor/finding.ts";
import type { Clock, Files } from "../host/host.ts";
import type { CiliumClient } from "./agent-client.ts";

const pollMs = 50;
/** An agent needs 20 ms for a file, and a second for 30. */
const usualShowsMs = 10_000;

export interface PolicyDirectoryParts {
  readonly files: Files;
  readonly clock: Clock;
  readonly client: CiliumClient;
  readonly directory: string;
  /** How long a change may take to show. */
  readonly showsMs?: number;
}

export interface PolicyOutcome {
  /** Whoever enforces it, enforces what the agent has loaded by now. */
  readonly revision: number;
  /** Written or removed. */
  readonly changed: readonly string[];
  /** Changes that did not show. */
  readonly findings: readonly Finding[];
}

export interface QuarantineOutcome {
  /** Taken out of the directory. */
  readonly moved: readonly string[];
  /** As they were last loaded, instead of what was there or was missing. */
  readonly restored: readonly string[];
  /** Wanted, and never seen loaded: until they are, nothing closes the endpoints they are about. */
  readonly missing: readonly string[];
}

export class PolicyDirectory {
  readonly #parts: PolicyDirectoryParts;
  readonly #showsMs: number;
  /** Texts that did not show although it was waited for, by name. */
  readonly #waited = new Map<string, string>();

  constructor(parts: PolicyDirectoryParts) {
    this.#parts = parts;
    this.#showsMs = parts.showsMs ?? usualShowsMs;
  }

  /** With an agent that runs, one call at a time. Throws before it changes anything when a file is wrong or nobody answers. */
  async write(wanted: readonly CiliumPolicyFile[], signal?: AbortSignal): Promise<PolicyOutcome> {
    for (const file of wanted) checkFile(file);
    const texts = new Map(wanted.map(({ name, text }) => [name, text]));
    const { files, client, directory } = this.#parts;
    const revision = await client.policyRevision({ signal });
    const there = (await files.list(directory)).filter((name) => name.endsWith(".yaml"));
    const unwanted = there.filter((name) => !texts.has(name));
    const unloaded: string[] = [];
    for (const [name, text] of texts) if (!(await this.#isLoaded(name, text))) unloaded.push(name);
    if (unwanted.length + unloaded.length === 0) return { revision, changed: [], findings: [] };
    await this.#settle(there, signal);
    await files.write(this.#changing, "");
    const findings: Finding[] = [];
    for (const name of unloaded.sort(byText))
      findings.push(...(await this.#replace(name, texts.get(name) ?? "", signal)));
    for (const name of unwanted) findings.push(...(await this.#remove(name, signal)));
    await files.remove(this.#changing);
    return {
      revision: await client.policyRevision({ signal }),
      changed: [...unloaded, ...unwanted],
      findings,
    };
  }

  /** Before an agent starts, never while one runs. @param wanted names of the files that it should load */
  async quarantine(wanted: readonly string[]): Promise<QuarantineOutcome> {
    const { files, directory } = this.#parts;
    const moved: string[] = [];
    const restored: string[] = [];
    // without it an agent does not start
    await files.makeDirectory(directory, 0o755);
    for (const name of await files.list(directory)) {
      if (wanted.includes(name) && (await this.#isConfirmed(name))) continue;
      await this.#moveAside(name);
      moved.push(name);
    }
    const missing: string[] = [];
    for (const name of wanted) {
      if ((await files.info(`${directory}/${name}`)) !== undefined) continue;
      const text = await files.readText(this.#confirmed(name));
      if (text === undefined) missing.push(name);
      else {
        await files.write(`${directory}/${name}`, text);
        restored.push(name);
      }
    }
    this.#waited.clear();
    return { moved, restored, missing };
  }

  async #replace(name: string, text: string, signal: AbortSignal | undefined): Promise<Finding[]> {
    const { files, directory } = this.#parts;
    const { shows, before } = await this.#changed(() => files.write(`${directory}/${name}`, text), signal);
    this.#waited.set(name, text);
    if (!shows) return [this.#unseen(name, "written", before)];
    // an agent that began anew meanwhile found what was confirmed, not this
    if ((await this.#there(name)) !== text)
      return [this.#unseen(name, "written, and somebody changed it again", before)];
    await files.write(this.#confirmed(name), text);
    return [];
  }

  async #remove(name: string, signal: AbortSignal | undefined): Promise<Finding[]> {
    const { files, directory } = this.#parts;
    const isLoaded = await this.#isConfirmed(name);
    const { shows, before } = await this.#changed(async () => {
      // first: what is still in the directory then counts as never seen
      await files.remove(this.#confirmed(name));
      if (isLoaded) await files.remove(`${directory}/${name}`);
      else await this.#moveAside(name);
    }, signal);
    this.#waited.delete(name);
    // one that was not seen loaded may have been, or not
    return shows || !isLoaded ? [] : [this.#unseen(name, "removed", before)];
  }

  async #changed(change: () => Promise<void>, signal: AbortSignal | undefined) {
    const before = await this.#parts.client.policyRevision({ signal });
    await change();
    return { shows: await this.#shows(before, signal), before };
  }

  /**
   * Gives every change that nobody waited for the time to show: an agent would end over a removal, and what shows late would
   * be taken for the next change.
   */
  async #settle(there: readonly string[], signal: AbortSignal | undefined): Promise<void> {
    const texts = new Map<string, string>();
    for (const name of there)
      if (!(await this.#isConfirmed(name))) texts.set(name, (await this.#there(name)) ?? "");
    const isNew = [...texts].some(([name, text]) => this.#waited.get(name) !== text);
    const isCut = (await this.#parts.files.info(this.#changing)) !== undefined;
    if (!isNew && !isCut) return;
    await this.#parts.clock.sleep(this.#showsMs, signal);
    for (const [name, text] of texts) this.#waited.set(name, text);
  }

  async #shows(before: number, signal: AbortSignal | undefined): Promise<boolean> {
    const { client, clock } = this.#parts;
    const deadline = clock.now().getTime() + this.#showsMs;
    for (;;) {
      const isLast = clock.now().getTime() >= deadline;
      try {
        if ((await client.policyRevision({ signal })) > before) return true;
      } catch (failure) {
        if (isLast || !isWeftError(failure)) throw failure;
      }
      if (isLast) return false;
      await clock.sleep(pollMs, signal);
    }
  }

  async #isLoaded(name: string, text: string): Promise<boolean> {
    return (await this.#there(name)) === text && (await this.#isConfirmed(name));
  }

  async #isConfirmed(name: string): Promise<boolean> {
    const there = await this.#there(name);
    return there !== undefined && there === (await this.#parts.files.readText(this.#confirmed(name)));
  }

  /** undefined: no file, or a link or directory, which is none of ours. */
  async #there(name: string): Promise<string | undefined> {
    const { files, directory } = this.#parts;
    const info = await files.info(`${directory}/${name}`);
    return info?.kind === "file" ? await files.readText(`${directory}/${name}`) : undefined;
  }

  async #moveAside(name: string): Promise<void> {
    const { files, directory } = this.#parts;
    const aside = `${directory}.aside`;
    await files.makeDirectory(aside, 0o700);
    await files.removeTree(`${aside}/${name}`);
    await files.rename(`${directory}/${name}`, `${aside}/${name}`);
  }

  /** There while changes are made: one that is still there was cut off, by an abort or with the process. */
  get #changing(): string {
    return `${this.#parts.directory}.changing`;
  }

  #confirmed(name: string): string {
    return `${this.#parts.directory}.confirmed/${name}`;
  }

  #unseen(name: string, what: string, revision: number): Finding {
    return trouble(
      "cilium-policy",
      `the Cilium agent has not taken up ${name}, which was ${what}, within ${this.#showsMs / 1000} s`,
      `Its policy revision is still ${revision}: what it loaded of that file before stays in force.`,
      "see journalctl -u weft-cilium for what it says of the file; it is tried again with the next change or look",
    );
  }
}

function checkFile(file: CiliumPolicyFile): void {
  const [refusal] = refusalsOf(file);
  if (refusal === undefined) return;
  throw new WeftError("WEFT-E405", `a Cilium agent would refuse the policy file ${file.name}`, {
    why: refusal,
    hint: "nothing is written; this is a bug of Weft, please report it with the mesh file",
  });
}
