// In: what the gRPC library says about a connection it could not make. Out: the reason in words. Pure.
// The library has the errno only inside of a sentence, among others that help nobody.

const reasons: Readonly<Record<string, string>> = {
  ENOENT: "there is no such socket",
  EACCES: "this user may not open it",
  ECONNREFUSED: "nobody listens there",
  EHOSTUNREACH: "no route leads there",
  ENETUNREACH: "no route leads there",
  ETIMEDOUT: "nobody answers there",
};

export function connectReason(details: string): string {
  const errno = /connect (E[A-Z]+)/.exec(details)?.[1];
  if (errno !== undefined) return reasons[errno] ?? errno;
  return details.startsWith("No connection established") ? "no connection can be made" : details;
}
