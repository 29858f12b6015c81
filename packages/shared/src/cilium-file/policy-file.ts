// In: a policy file by name and text. Out: why an agent would refuse it, or read it as something else than it says. Pure; never
// throws. An agent of 1.18 reads the file as YAML 1.1, turns it to JSON and that to a policy; what YAML 1.2 would read otherwise
// is refused, too, as are fields that it would ignore. A file that is wrong is fatal to an agent when it starts.

import { parseAllDocuments } from "yaml";
import { messageOf } from "../errors/weft-error.ts";
import type { CiliumPolicyFile } from "../model/cilium-policy.ts";
import { isDnsSubdomain } from "./label-selector.ts";
import { policySchema } from "./policy-schema.ts";

const largestBytes = 4 * 1024 * 1024;

export function refusalsOf({ name, text }: CiliumPolicyFile): string[] {
  if (!name.endsWith(".yaml")) return [`${name}: only names that end in .yaml are read`];
  if (!isDnsSubdomain(name)) return [`${name}: the name is no DNS-1123 subdomain`];
  if (Buffer.byteLength(text) > largestBytes) return [`${name}: the file is larger than 4 MiB`];
  if (/^%/m.test(text)) return [`${name}: it holds a directive, which an agent cannot read`];
  if (/[\u007f-\u009f\u2028\u2029\ufeff\ufffe\uffff]/.test(text))
    return [`${name}: it holds a character that an agent cannot read, or takes for the end of a line`];
  if (/(?<!\\)(?:\\\\)*\\u[dD][89a-fA-F]/.test(text))
    return [`${name}: it holds half a character, which an agent cannot read`];
  const read = dataOf(text);
  if ("refusal" in read) return [`${name}: ${read.refusal}`];
  const { error } = policySchema.safeParse(read.value);
  return (error?.issues ?? []).map(
    ({ path, message }) => `${name}: ${path.join(".") || "the file"}: ${message}`,
  );
}

function dataOf(text: string): { readonly value: unknown } | { readonly refusal: string } {
  try {
    const [first, second] = (["1.1", "1.2"] as const).map((version) => dataBy(version, text));
    if (first === undefined || JSON.stringify(first) !== JSON.stringify(second))
      return { refusal: "it means different things in YAML 1.1 and 1.2" };
    return { value: first };
  } catch (failure) {
    return { refusal: messageOf(failure).split("\n")[0] ?? "it cannot be read" };
  }
}

function dataBy(version: "1.1" | "1.2", text: string): unknown {
  const documents = parseAllDocuments(text, { version, prettyErrors: false, logLevel: "error" });
  const [only] = documents;
  if (only === undefined || !("contents" in only)) throw new TypeError("it holds no document");
  if (documents.length > 1)
    throw new TypeError("it holds more than one document, and only the first would be read");
  const [problem] = [...only.errors, ...only.warnings];
  if (problem !== undefined) throw problem;
  return only.toJS({ maxAliasCount: 100 });
}
