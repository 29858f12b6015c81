// In: a SPIFFE ID as text. Out: its trust domain and path, or WEFT-E205 saying which rule it breaks. Pure.
// As strict as the Go library of the SPIFFE project, and with the standard's length limits besides: what is
// accepted here is accepted, and means the same, everywhere else.
import { WeftError } from "../errors/weft-error.ts";

export interface SpiffeId {
  readonly trustDomain: string;
  /** Empty, or segments each with a leading slash. */
  readonly path: string;
}

const scheme = "spiffe://";
const maxIdBytes = 2048;
const maxTrustDomainBytes = 255;

function invalid(text: string, why: string): WeftError {
  // The text may come from a peer: quoted, escaped and cut, so that it cannot forge log lines.
  return new WeftError("WEFT-E205", `${JSON.stringify(text.slice(0, 120))} is not a SPIFFE ID`, { why });
}

function problemOfTrustDomain(trustDomain: string): string | undefined {
  if (trustDomain === "") return "The trust domain is missing.";
  if (trustDomain.length > maxTrustDomainBytes)
    return `The trust domain is longer than ${maxTrustDomainBytes} bytes.`;
  if (!/^[a-z0-9._-]+$/.test(trustDomain))
    return "A trust domain consists of lowercase letters, digits, dots, dashes and underscores.";
  return undefined;
}

function problemOfSegment(segment: string): string | undefined {
  if (segment === "") return "The path has an empty segment or ends with a slash.";
  if (segment === "." || segment === "..") return "The path has a dot segment.";
  if (!/^[A-Za-z0-9._-]+$/.test(segment))
    return "A path segment consists of letters, digits, dots, dashes and underscores.";
  return undefined;
}

function problemOfPath(path: string): string | undefined {
  if (path === "") return undefined;
  if (!path.startsWith("/")) return "A path starts with a slash.";
  for (const segment of path.slice(1).split("/")) {
    const problem = problemOfSegment(segment);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

export function parseSpiffeId(text: string): SpiffeId {
  if (text.length > maxIdBytes) throw invalid(text, `It is longer than ${maxIdBytes} bytes.`);
  if (!text.startsWith(scheme)) throw invalid(text, `It does not start with "${scheme}".`);
  const rest = text.slice(scheme.length);
  const slash = rest.indexOf("/");
  const trustDomain = slash === -1 ? rest : rest.slice(0, slash);
  const path = slash === -1 ? "" : rest.slice(slash);
  const problem = problemOfTrustDomain(trustDomain) ?? problemOfPath(path);
  if (problem !== undefined) throw invalid(text, problem);
  return { trustDomain, path };
}

/** A trust domain by its bare name ("mesh.internal"). */
export function parseTrustDomain(text: string): string {
  const problem = problemOfTrustDomain(text);
  if (problem === undefined) return text;
  throw new WeftError("WEFT-E205", `${JSON.stringify(text.slice(0, 120))} is not a trust domain`, {
    why: problem,
  });
}

/** The ID made of a trust domain and path segments, each checked. */
export function spiffeIdOf(trustDomain: string, ...segments: readonly string[]): SpiffeId {
  const text = `${scheme}${trustDomain}${segments.map((segment) => `/${segment}`).join("")}`;
  for (const segment of segments) {
    const problem = problemOfSegment(segment);
    if (problem !== undefined) throw invalid(text, problem);
  }
  return parseSpiffeId(text);
}

export function formatSpiffeId(id: SpiffeId): string {
  return `${scheme}${id.trustDomain}${id.path}`;
}

export function sameSpiffeId(a: SpiffeId, b: SpiffeId): boolean {
  return a.trustDomain === b.trustDomain && a.path === b.path;
}
