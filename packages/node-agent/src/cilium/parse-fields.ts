// In: parts of what a Cilium agent answered. Out: each as the type it has to have, or what is wrong. Pure.
// What is not there is not known (versions differ); what is there in another form is an error, never a guess.
import { WeftError } from "@weft/shared/errors/weft-error";
import { asList, asObject, type Json } from "@weft/shared/kernel-verdict/json";

export function wrong(why: string, cause?: unknown): WeftError {
  return new WeftError("WEFT-E003", "what a Cilium agent answered is not understood", { why, cause });
}

export function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw wrong("it is no JSON", cause);
  }
}

export function objectOf(name: string, value: unknown): Json {
  const object = asObject(value);
  if (object === undefined) throw wrong(`${name} is no object`);
  return object;
}

export function textOf(name: string, value: unknown): string {
  if (typeof value !== "string") throw wrong(`${name} is no text`);
  return value;
}

export function countOf(name: string, value: unknown): number {
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0)
    throw wrong(`${name} is no count`);
  return value;
}

export function textsOf(name: string, value: unknown): string[] {
  const list = asList(value);
  if (list === undefined) throw wrong(`${name} is no list`);
  return list.map((item) => textOf(`one of ${name}`, item));
}

/** An agent leaves out what is empty, or says null. */
export function optional<T>(
  name: string,
  value: unknown,
  take: (name: string, value: unknown) => T,
): T | undefined {
  return value === undefined || value === null ? undefined : take(name, value);
}
