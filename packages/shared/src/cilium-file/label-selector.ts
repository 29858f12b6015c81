// In: a selector of endpoints or nodes. Out: a schema that takes what Cilium 1.18 takes (pkg/policy/api/selector.go), and less:
// a selector of nothing stands for everything, and is refused. Pure.
import { z } from "zod";

const qualifiedName = /^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$/;
const dnsName = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/;

export function isDnsSubdomain(text: string): boolean {
  return text.length <= 253 && dnsName.test(text);
}

/** "source:key" becomes "source.key", and a key without a source "any.key"; the whole has to be a qualified name. */
function isSelectorKey(key: string): boolean {
  const whole = key.includes(":") ? key.replace(":", ".") : `any.${key}`;
  const parts = whole.split("/");
  const name = parts.at(-1) ?? "";
  const prefix = parts.length === 2 ? parts[0] : undefined;
  return (
    parts.length <= 2 &&
    name.length <= 63 &&
    qualifiedName.test(name) &&
    (prefix === undefined || isDnsSubdomain(prefix))
  );
}

function isSelectorValue(value: string): boolean {
  return value === "" || (value.length <= 63 && qualifiedName.test(value));
}

const key = z.string().refine(isSelectorKey, "is no key of a label");
const value = z
  .string()
  .refine(isSelectorValue, "is no value of a label: at most 63 letters, digits, - _ and ., so no URI");

const expression = z
  .strictObject({
    key,
    operator: z.enum(["In", "NotIn", "Exists", "DoesNotExist"]),
    values: z.array(value).optional(),
  })
  .refine(
    ({ operator, values = [] }) => (operator === "In" || operator === "NotIn") === values.length > 0,
    "needs values for In and NotIn, and has none for Exists and DoesNotExist",
  );

export const selectorSchema = z
  .strictObject({
    matchLabels: z.record(key, value).optional(),
    matchExpressions: z.array(expression).optional(),
  })
  .refine(
    ({ matchLabels = {}, matchExpressions = [] }) =>
      Object.keys(matchLabels).length + matchExpressions.length > 0,
    "selects everything, because it says nothing",
  );
