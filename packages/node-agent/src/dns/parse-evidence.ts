// In: text of /proc/self/mountinfo, nsswitch.conf, lsattr, resolvconf and a resolv.conf. Out: what it says about who
// owns the host's resolver. Pure.

interface Mount {
  readonly point: string;
  readonly readOnly: boolean;
}

export function parseMountInfo(text: string): Mount[] {
  const mounts: Mount[] = [];
  for (const line of text.split("\n")) {
    const [left, right] = line.split(" - ");
    const fields = left?.split(" ") ?? [];
    const [point, options] = [fields[4], fields[5]];
    if (point === undefined || options === undefined) continue;
    const superOptions = right?.split(" ")[2] ?? "";
    mounts.push({
      point: point.replaceAll(/\\([0-7]{3})/g, (_all, octal: string) =>
        String.fromCharCode(Number.parseInt(octal, 8)),
      ),
      // a file system can be read-only as a whole or at this place only
      readOnly: [options, superOptions].some((list) => list.split(",").includes("ro")),
    });
  }
  return mounts;
}

/** The mount that a path lies in: the deepest one, and of two at one place the later, which covers the other. */
export function mountOf(mounts: readonly Mount[], path: string): Mount | undefined {
  let best: Mount | undefined;
  for (const mount of mounts) {
    const prefix = mount.point === "/" ? "/" : `${mount.point}/`;
    if (path !== mount.point && !path.startsWith(prefix)) continue;
    if (best === undefined || mount.point.length >= best.point.length) best = mount;
  }
  return best;
}

/** `resolve` stands before `dns` in the hosts line. */
export function nssAsksResolved(nsswitch: string): boolean {
  const hosts = /^hosts:[ \t]*(.*)$/m.exec(nsswitch)?.[1] ?? "";
  const sources = (hosts.split("#")[0] ?? "").split(/[ \t]+/);
  const resolve = sources.indexOf("resolve");
  const dns = sources.indexOf("dns");
  return resolve >= 0 && (dns < 0 || resolve < dns);
}

/** From `lsattr -d FILE`; undefined when it printed no flags. */
export function isImmutable(lsattr: string): boolean | undefined {
  const flags = /^([A-Za-z-]{8,}) /.exec(lsattr)?.[1];
  return flags === undefined ? undefined : /[ia]/.test(flags);
}

/** From `resolvconf --version`. systemd's own resolvectl under that name manages no records of its own. */
export function resolvconfKind(output: string): "debian" | "openresolv" | "none" {
  if (/openresolv/i.test(output)) return "openresolv";
  return /systemd/i.test(output) || !/resolvconf/i.test(output) ? "none" : "debian";
}

/** Who a resolv.conf says made it, from the comments on top; undefined when it says nothing of the kind. */
export function claimedAuthor(resolvConf: string): string | undefined {
  const comments: string[] = [];
  for (const line of resolvConf.split("\n")) {
    if (/^\s*[#;]/.test(line)) comments.push(line);
    else if (line.trim() !== "") break;
  }
  const known =
    /NetworkManager|systemd-resolved|openresolv|resolvconf|dhclient|dhcpcd|connman|tailscale|netconfig/i;
  const claim = comments.find((line) => /generated|managed|written|created/i.test(line));
  return claim === undefined ? undefined : (known.exec(comments.join("\n"))?.[0] ?? "another program");
}
