// In: a state. Out: the uids of the users it names, looked up anew when that may have changed: other names, another
// passwd file, or some time, because names may also come from a directory service, which changes no file here.
import type { DesiredContent } from "@weft/shared/model/desired";
import type { Host } from "../host/host.ts";
import { namesOf, type ResolvedUsers, resolveUsers } from "./users.ts";

const lookUpEveryMs = 60_000;

export class UserLookup {
  readonly #host: Host;
  #last:
    | {
        readonly users: ResolvedUsers;
        readonly at: number;
        readonly passwd: string;
        readonly names: string;
      }
    | undefined;

  constructor(host: Host) {
    this.#host = host;
  }

  /** The same object as before while nothing can have changed. */
  async resolve(desired: DesiredContent): Promise<ResolvedUsers> {
    const { files, clock } = this.#host;
    const passwd = (await files.readText("/etc/passwd")) ?? "";
    const names = namesOf(desired).join();
    const now = clock.now().getTime();
    const last = this.#last;
    if (last?.passwd === passwd && last.names === names && now - last.at < lookUpEveryMs) return last.users;
    const users = await resolveUsers(this.#host, desired);
    this.#last = { users, at: now, passwd, names };
    return users;
  }
}
