// What a check of this machine comes to: what it is about, how it stands, why, and what to do.

/** "trouble": something that Weft promises does not hold. "notice": it holds, but somebody should know. */
export type Standing = "good" | "notice" | "trouble";

export interface Finding {
  /** Stable, for scripts: "boot", "rules", "users", ... */
  readonly check: string;
  readonly standing: Standing;
  readonly what: string;
  /** Empty when all is good. */
  readonly why: string;
  readonly todo: string;
}

export const good = (check: string, what: string): Finding => ({
  check,
  standing: "good",
  what,
  why: "",
  todo: "",
});

export const trouble = (check: string, what: string, why: string, todo: string): Finding => ({
  check,
  standing: "trouble",
  what,
  why,
  todo,
});

export const notice = (check: string, what: string, why: string, todo: string): Finding => ({
  check,
  standing: "notice",
  what,
  why,
  todo,
});
