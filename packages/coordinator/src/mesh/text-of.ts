// In: a form of text. Out: the zod schema of a field that holds it, with what is allowed in its problems. Pure.

import type { TextForm } from "@weft/shared/model/text-forms";
import { z } from "zod";

/** What a custom issue carries for the problem made of it. */
export interface IssueDetail {
  readonly allowed: string;
  readonly near: string | undefined;
}

export function textOf<T>(form: TextForm<T>, description: string) {
  return z
    .string({ error: `expected ${form.allowed}` })
    .meta({ description, pattern: form.pattern })
    .transform((value, context): T => {
      const parsed = form.parse(value);
      if (parsed !== undefined) return parsed;
      const params: IssueDetail = { allowed: form.allowed, near: form.near?.(value) };
      const message = `${JSON.stringify(value.slice(0, 80))} is no ${form.what}`;
      context.issues.push({ code: "custom", input: value, message, params: { ...params } });
      return z.NEVER;
    });
}
