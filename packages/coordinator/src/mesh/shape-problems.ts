// In: zod's issues about one entry, and the entry with its places. Out: problems. Pure.
import type { Problem } from "@weft/shared/model/mesh";
import { nearestName } from "@weft/shared/model/near";
import type { z } from "zod";
import type { Cursor } from "./cursor.ts";
import { errorAt } from "./problem.ts";

type Issue = z.core.$ZodIssue;

/** What the format knows but this version does not enforce: refused, never ignored. */
const notEnforced: Readonly<Record<string, string>> = {
  "policies/http": "rules on methods and paths (`http:`)",
  "services/mtls=transparent": "`mtls: transparent`",
  "defaults/ingress=allow": "`ingress: allow`",
};

const instead: Readonly<Record<string, string>> = {
  "defaults/ingress=allow": "deny; to open ports for a trial, set mode: audit",
  "services/mtls=transparent": "app, none",
};

const listSections: ReadonlySet<string> = new Set(["nodes", "services", "policies"]);

export interface ShapeSource {
  /** Top-level key the entry stands under; empty for the top level itself. */
  readonly section: string;
  readonly entry: Cursor;
  /** Keys allowed in the map at this path. */
  keysAt(path: readonly PropertyKey[]): readonly string[];
}

export function shapeProblems(source: ShapeSource, issues: readonly Issue[]): Problem[] {
  return withoutConsequences(issues).flatMap((issue) => problemsOf(source, issue, []));
}

/** A selector with a misspelt key holds none of the right ones, either: that is one problem, not two. */
function withoutConsequences(issues: readonly Issue[]): readonly Issue[] {
  const pathOf = (issue: Issue) => issue.path.map(String).join("/");
  const misspelt = new Set(issues.filter((issue) => issue.code === "unrecognized_keys").map(pathOf));
  return issues.filter((issue) => issue.code !== "custom" || !misspelt.has(pathOf(issue)));
}

export function unknownKey(source: ShapeSource, path: readonly PropertyKey[], key: string): Problem {
  const place = source.entry.at([...path, key]).keyPlace;
  const unenforced = notEnforced[`${source.section}/${key}`];
  if (unenforced !== undefined && path.length === 0)
    return errorAt(place, `${unenforced} is not enforced by this version`);
  const keys = source.keysAt(path);
  return errorAt(place, `unknown key ${JSON.stringify(key)}`, {
    allowed: keys.join(", "),
    near: nearestName(key, keys),
  });
}

function problemsOf(source: ShapeSource, issue: Issue, prefix: readonly PropertyKey[]): Problem[] {
  const path = [...prefix, ...issue.path];
  const found = source.entry.at(path);
  const name = subject(source, path);
  switch (issue.code) {
    case "unrecognized_keys":
      return issue.keys.map((key) => unknownKey(source, path, key));
    case "invalid_union":
      return unionProblems(source, issue, path);
    case "invalid_value": {
      const values = issue.values.map(String);
      const given = valueAt(source.entry.value, path);
      if (given === undefined)
        return [errorAt(found.keyPlace, `${name} is missing`, { allowed: values.join(", ") })];
      const key = `${source.section}/${path.map(String).join("/")}=${String(given)}`;
      const unenforced = notEnforced[key];
      if (unenforced !== undefined)
        return [
          errorAt(found.place, `${unenforced} is not enforced by this version`, { allowed: instead[key] }),
        ];
      const near = typeof given === "string" ? nearestName(given, values) : undefined;
      return [
        errorAt(found.place, `${quoted(given)} is not allowed for ${name}`, {
          allowed: values.join(", "),
          near,
        }),
      ];
    }
    case "invalid_type": {
      const given = valueAt(source.entry.value, path);
      if (given === undefined) return [errorAt(found.keyPlace, `${name} is missing`)];
      const wanted = typeWords[issue.expected] ?? issue.expected;
      return [
        errorAt(found.place, `${name} is ${kindOf(given)}`, {
          allowed: allowedOf(issue, wanted),
          near: nearType(issue, given),
        }),
      ];
    }
    case "too_small":
      if (issue.origin !== "array")
        return [
          errorAt(found.place, `${name} is ${String(issue.input ?? valueAt(source.entry.value, path))}`, {
            allowed: `at least ${issue.minimum}`,
          }),
        ];
      return [errorAt(found.place, `${name} is empty`, { allowed: "at least one" })];
    case "invalid_key":
      return [
        errorAt(found.keyPlace, `${name} is no label`, {
          allowed:
            "1 to 63 of letters, digits, '.', '_', '/' and '-', beginning and ending with a letter or digit",
        }),
      ];
    case "custom": {
      const params: Record<string, unknown> = issue.params ?? {};
      return [
        errorAt(found.place, issue.message, {
          allowed: textOr(params["allowed"]),
          near: textOr(params["near"]),
        }),
      ];
    }
    default:
      return [errorAt(found.place, issue.message)];
  }
}

/** Of a union, only the branch that was meant is reported: the one whose kind of value was given. */
function unionProblems(
  source: ShapeSource,
  issue: Extract<Issue, { code: "invalid_union" }>,
  path: readonly PropertyKey[],
): Problem[] {
  const meant = issue.errors
    .filter((branch) => !branch.some((part) => part.code === "invalid_type" && part.path.length === 0))
    .sort((a, b) => a.length - b.length)[0];
  if (meant !== undefined) {
    return withoutConsequences(meant).flatMap((part) => problemsOf(source, part, path));
  }
  const found = source.entry.at(path);
  const given = valueAt(source.entry.value, path);
  const name = subject(source, path);
  return [
    errorAt(found.place, given === undefined ? `${name} is missing` : `${name} is ${kindOf(given)}`, {
      allowed: source.section === "baseline" ? baselineForm(path) : allowedOf(issue, selectorForm),
    }),
  ];
}

const selectorForm = "a service name, node:NAME, { service }, { node }, { labels } or { cidr }";

function baselineForm(path: readonly PropertyKey[]): string {
  const field = path.findLast((step) => typeof step === "string");
  if (field === "from") return "any, node:NAME, { node } or { cidr }";
  if (field === "nodes") return "a node name or { labels }";
  return "{ nodes, inbound: deny, mode, allow }, or a list of such entries";
}

const typeWords: Readonly<Record<string, string>> = {
  object: "a map",
  record: "a map",
  array: "a list",
  string: "text",
};

/** Our text forms say what they expect; anything else is zod's own wording, which we replace. */
function allowedOf(issue: Issue, wanted: string): string {
  return /^expected /.test(issue.message) ? issue.message.slice("expected ".length) : wanted;
}

/** `"ports"`, or `an item of "ports"`, or the entry itself. */
function subject(source: ShapeSource, path: readonly PropertyKey[]): string {
  const last = path.at(-1);
  if (last === undefined)
    return listSections.has(source.section)
      ? `an entry of ${quoted(source.section)}`
      : quoted(source.section);
  if (typeof last !== "number") return quoted(last);
  return `an item of ${quoted(path.findLast((step) => typeof step === "string") ?? source.section)}`;
}

/** What was probably meant by a value of the wrong kind. */
function nearType(issue: Issue, given: unknown): string | undefined {
  if (issue.code !== "invalid_type") return undefined;
  if (issue.expected === "array" && typeof given === "string") return `[${given.slice(0, 80)}]`;
  if (typeof given === "number" && issue.message.includes("/tcp")) return `${given}/tcp`;
  if (typeof given === "number" && issue.message.includes("such as 90s")) return `${given}s`;
  if (typeof given === "number" || typeof given === "boolean") return `'${given}'`;
  return undefined;
}

function kindOf(value: unknown): string {
  if (value === null) return "empty";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "a map";
  if (typeof value === "string") return `the text ${quoted(value)}`;
  return `the ${typeof value === "bigint" ? "number" : typeof value} ${String(value)}`;
}

function quoted(value: unknown): string {
  return JSON.stringify(String(value).slice(0, 80));
}

function textOr(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

export function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  let part: unknown = value;
  for (const step of path) {
    if (typeof part !== "object" || part === null || !Object.hasOwn(part, step)) return undefined;
    part = (part as Record<PropertyKey, unknown>)[step];
  }
  return part;
}
