// Whether something holds: yes, no, or not known, and then why not. Pure.

export interface Unknown {
  readonly unknown: string;
}
export type Truth = boolean | Unknown;

export function isUnknown<T>(value: T | Unknown): value is Unknown {
  return typeof value === "object" && value !== null && "unknown" in value;
}

/** One no decides, whatever the others are. */
export function all(parts: readonly Truth[]): Truth {
  if (parts.includes(false)) return false;
  return parts.find(isUnknown) ?? true;
}

/** One yes decides, whatever the others are. */
export function any(parts: readonly Truth[]): Truth {
  if (parts.includes(true)) return true;
  return parts.find(isUnknown) ?? false;
}

export function not(truth: Truth): Truth {
  return typeof truth === "boolean" ? !truth : truth;
}
