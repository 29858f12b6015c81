// In: the SVID that a program of Weft's is to have, and the newest that there are. Out: its certificate and key as files, and its
// bundle as text. The program reads the files at every handshake, so that they are written anew whenever the SVID rotates.
//
// A reader between the two renames finds a key that is not the certificate's: that one handshake fails, and is tried again.
// The bundle is read at a program's start alone: whoever starts it writes it, and starts it again with another.
import { X509Certificate } from "node:crypto";
import { messageOf } from "@weft/shared/errors/weft-error";
import type { SvidFiles } from "@weft/shared/render/etcd-places";
import { derToPem, pemToDers, readCertificate } from "@weft/shared/spiffe/certificate";
import { formatSpiffeId } from "@weft/shared/spiffe/spiffe-id";
import type { X509Context, X509Svid } from "@weft/shared/spiffe/x509-context";
import type { StepBook } from "../cilium/step-book.ts";
import type { Host } from "../host/host.ts";

export interface SvidWish {
  readonly id: string;
  /** Exactly these; the first is the subject's common name, too. */
  readonly dnsNames: readonly string[];
  readonly files: SvidFiles;
  /** The program's, beside root: it may read the key and not change it. undefined: root's alone. */
  readonly gid: number | undefined;
}

export interface SvidStanding {
  /** Of the newest SVID; undefined: there is none, and what was written before stays. */
  readonly bundle: string | undefined;
  /** Certificate and key are there, and the certificate has not ended. */
  readonly isUsable: boolean;
  /** undefined: all is well. */
  readonly trouble: string | undefined;
}

export interface SvidSource {
  readonly context: X509Context | undefined;
  readonly trouble: string | undefined;
}

export async function writeSvidFiles(
  host: Pick<Host, "files" | "clock">,
  book: StepBook,
  wish: SvidWish,
  source: SvidSource,
): Promise<SvidStanding> {
  const svid = source.context?.svids.find(({ id }) => formatSpiffeId(id) === wish.id);
  const objection = svid === undefined ? undefined : wrongNames(svid, wish);
  if (svid !== undefined && objection === undefined) await write(host, book, wish, svid);
  const { ends, problem } = await standingOf(host, wish);
  const isUsable = ends !== undefined && ends > host.clock.now();
  const roots = objection === undefined ? source.context?.bundles.get(svid?.id.trustDomain ?? "") : undefined;
  const lacks =
    svid === undefined && source.context !== undefined ? `SPIRE gives no ${wish.id} here (yet)` : undefined;
  const missing = isUsable
    ? undefined
    : (problem ??
      (ends === undefined
        ? "it waits for its certificate"
        : `its certificate ended at ${ends.toISOString()}`));
  const causes = [missing, objection ?? lacks, missing === undefined ? undefined : source.trouble];
  const told = causes.filter((cause) => cause !== undefined);
  return {
    bundle: roots?.map((der) => derToPem(der)).join(""),
    isUsable,
    trouble: told.length === 0 ? undefined : told.join(": "),
  };
}

/** Its common name is its user in etcd: with another it would be somebody else, with none nobody. */
function wrongNames(svid: X509Svid, { id, dnsNames }: SvidWish): string | undefined {
  const [leaf] = svid.chain;
  if (leaf === undefined) return `${id} has no certificate`;
  const found = readCertificate(leaf).dnsSans;
  const { subject } = new X509Certificate(leaf);
  const isSame = found.length === dnsNames.length && dnsNames.every((name) => found.includes(name));
  if (isSame && subject.split("\n").includes(`CN=${dnsNames[0]}`)) return undefined;
  return `the certificate of ${id} is of ${found.join(", ") || "no name"}, not of ${dnsNames.join(", ")}`;
}

async function write(
  { files }: Pick<Host, "files">,
  book: StepBook,
  { files: paths, gid }: SvidWish,
  svid: X509Svid,
): Promise<void> {
  const key = derToPem(svid.privateKey, "PRIVATE KEY");
  const certificate = svid.chain.map((der) => derToPem(der)).join("");
  const isWritten =
    (await files.readText(paths.certificate)) === certificate && (await files.readText(paths.key)) === key;
  if (isWritten) return;
  await book.do("writeFiles", paths.certificate, async () => {
    await files.write(paths.key, key, gid === undefined ? { mode: 0o600 } : { mode: 0o640, uid: 0, gid });
    await files.write(paths.certificate, certificate, { mode: 0o644 });
  });
}

/** What is on disk serves on with the Workload API away, as long as it lasts. */
async function standingOf(
  { files }: Pick<Host, "files">,
  { files: paths }: SvidWish,
): Promise<{ readonly ends?: Date; readonly problem?: string }> {
  const text = await files.readText(paths.certificate);
  if (text === undefined || (await files.info(paths.key)) === undefined) return {};
  try {
    const [leaf] = pemToDers(text);
    return leaf === undefined ? {} : { ends: readCertificate(leaf).notAfter };
  } catch (failure) {
    return { problem: `${paths.certificate}: ${messageOf(failure)}` };
  }
}
