// In: anything thrown by Node. Out: what kind of system error it is, judged by shape:
// instanceof fails for errors made in another realm.

function codeOf(value: unknown): string | undefined {
  return typeof value === "object" && value !== null && "code" in value && typeof value.code === "string"
    ? value.code
    : undefined;
}

/** errno name (ENOENT, EACCES, ...) or undefined. */
export function errnoOf(value: unknown): string | undefined {
  const code = codeOf(value);
  return code !== undefined && /^E[A-Z0-9]+$/.test(code) ? code : undefined;
}

export function isNotFound(value: unknown): boolean {
  return codeOf(value) === "ENOENT";
}

export function isAbort(value: unknown): boolean {
  return (
    codeOf(value) === "ABORT_ERR" ||
    (typeof value === "object" && value !== null && "name" in value && value.name === "AbortError")
  );
}
